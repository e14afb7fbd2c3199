(() => {
  'use strict';
  const one = (query, within = document) => within.querySelector(query);
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const root = document.documentElement;
  root.classList.add('js');

  // Networks: all groups fold with one button, arrows go from unit to unit, tips stay on the screen and hush on Escape.
  for (const rows of all('.rows')) {
    const groups = all('details', rows);
    const button = one('.tool', rows.closest('.part'));
    if (button) {
      const tell = () => { button.textContent = groups.every(group => group.open) ? 'Fold all' : 'Unfold all'; };
      button.hidden = !groups.length;
      button.onclick = () => {
        const open = !groups.every(group => group.open);
        for (const group of groups) group.open = open;
      };
      for (const group of groups) group.addEventListener('toggle', tell);
    }
    rows.addEventListener('keydown', event => {
      root.classList.toggle('hush', event.key === 'Escape');
      const unit = event.target.closest('a.unit');
      if (!unit) return;
      const units = all('a.unit', rows).filter(other => other.checkVisibility());
      const here = units.indexOf(unit);
      const to = units[{ ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: units.length - 1 }[event.key]];
      if (to) {
        to.focus();
        event.preventDefault();
      }
    });
    const place = event => {
      const tip = one('.tip', event.target.closest?.('a.unit') ?? root);
      if (!tip || tip.matches('.l, .r')) return;
      const { left, right } = tip.getBoundingClientRect();
      if (left < 8) tip.classList.add('l');
      else if (right > root.clientWidth - 8) tip.classList.add('r');
    };
    rows.addEventListener('focusin', place);
    rows.addEventListener('pointerover', event => {
      root.classList.remove('hush');
      if (event.target.closest('a.unit')) place(event);
    });
  }

  // Tables of costs: the levels of the rows make a tree that folds, and siblings are sorted among themselves.
  const trees = all('.costs').map(table => {
    const body = table.tBodies[0];
    const stages = [];
    const items = new Map();
    let stage, unit;
    for (const row of body.rows) {
      const item = { row, below: [], open: false, above: null };
      items.set(row, item);
      if (row.className === 's') {
        stages.push(stage = item);
        unit = null;
      } else {
        item.above = row.className === 'l' && unit || stage;
        item.above.below.push(item);
        if (row.className === 'u') unit = item;
      }
    }
    const show = (list = stages, visible = true) => list.forEach(item => {
      item.row.classList.toggle('shut', !visible);
      item.button?.setAttribute('aria-expanded', item.open);
      show(item.below, visible && item.open);
    });
    for (const item of items.values()) {
      if (!item.below.length) continue;
      const head = item.row.cells[0];
      item.button = document.createElement('button');
      item.button.type = 'button';
      item.button.className = 'fold';
      item.button.setAttribute('aria-label', `${head.textContent}: ${item.below[0].row.className === 'u' ? 'units' : 'layers'}`);
      item.button.onclick = () => { item.open = !item.open; show(); };
      head.prepend(item.button);
    }
    const value = (item, column) => Number(item.row.cells[column].dataset.v);
    const order = (list, compare) => (compare ? list.toSorted(compare) : list).forEach(item => {
      body.append(item.row);
      order(item.below, compare);
    });
    all('thead [data-sort]', table).forEach(head => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'sort';
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const next = { descending: 'ascending', ascending: null }[head.getAttribute('aria-sort')];
        for (const other of all('[aria-sort]', table)) other.removeAttribute('aria-sort');
        const sort = next === undefined ? 'descending' : next;
        if (sort) head.setAttribute('aria-sort', sort);
        const sign = sort === 'ascending' ? 1 : -1;
        order(stages, sort && ((a, b) => sign * (value(a, head.cellIndex) - value(b, head.cellIndex))));
      };
    });
    const button = one('.tool', table.closest('.costs-part'));
    if (button) button.onclick = () => {
      const open = !stages.some(item => item.open);
      for (const item of items.values()) item.open = open && !item.above;
      show();
      button.textContent = open ? 'Fold stages' : 'Unfold stages';
    };
    show();
    return { items, show };
  });

  // A link to a row unfolds what is above it and goes there.
  const reveal = id => {
    const row = id && document.getElementById(id);
    const tree = row && trees.find(other => other.items.has(row));
    if (!tree) return row;
    for (let item = tree.items.get(row); item; item = item.above) item.open = true;
    const folded = row.closest('details');
    if (folded) folded.open = true;
    tree.show();
    row.scrollIntoView({ block: 'center' });
    one('button', row)?.focus({ preventScroll: true });
    return row;
  };
  const named = hash => decodeURIComponent(hash.slice(1));
  addEventListener('hashchange', () => reveal(named(location.hash)));
  reveal(named(location.hash));
  if (location.protocol === 'about:') {
    // In the frame of a notebook, addresses are those of the notebook: its links would lead there.
    document.addEventListener('click', event => {
      const link = event.target.closest('a[href^="#"]');
      if (!link) return;
      event.preventDefault();
      const id = named(link.hash);
      const found = reveal(id);
      if (found?.tagName !== 'TR') found?.scrollIntoView();
    });
  }

  // Curves: one slider moves the cursor in all of them; its words are those of the table below.
  for (const slider of all('input[type=range]')) {
    const part = slider.closest('.part');
    const table = one('.epochs table', part);
    const words = one('output', part), epoch = one('label b', part);
    const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
    const epochs = [...table.tBodies[0].rows].map(row => Number(row.cells[0].textContent));
    const plots = all('.plot svg', part).map(svg => ({
      svg, at: one('.at', svg), last: Number(svg.dataset.last),
      lines: all('[data-y]', svg).map(path => ({ dot: path.nextElementSibling, heights: path.dataset.y.split(' ') })),
    }));
    const move = () => {
      const index = Number(slider.value);
      const cells = [...table.tBodies[0].rows[index].cells].map(cell => cell.textContent);
      for (const { at, last, lines } of plots) {
        const x = Math.round(1000 * epochs[index] / last);
        at.setAttribute('d', `M${x} 0V400`);
        for (const { dot, heights } of lines) dot.setAttribute('d', heights[index] === '-' ? '' : `M${x} ${heights[index]}h.01`);
      }
      words.textContent = heads.slice(1).map((head, number) => `${head} ${cells[number + 1]}`).join(' · ');
      epoch.textContent = cells[0];
      slider.setAttribute('aria-valuetext', `epoch ${cells[0]}: ${words.textContent}`);
    };
    slider.oninput = move;
    for (const { svg, last } of plots) svg.addEventListener('pointermove', event => {
      const { left, width } = svg.getBoundingClientRect();
      const wanted = (event.clientX - left) / width * last;
      const nearest = epochs.reduce((best, number, index) => Math.abs(number - wanted) < Math.abs(epochs[best] - wanted) ? index : best, 0);
      slider.value = nearest;
      move();
    });
    move();
  }
})();
