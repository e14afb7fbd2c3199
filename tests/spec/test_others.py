"""Specs of other people: found in folders and in packages, of which no code is run."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

import archbuilder
from archbuilder import disk_cache
from archbuilder.graph import ops
from archbuilder.spec import others
from archbuilder.spec.schema import json_schema
from tests.conftest import Call
from tests.processes import python

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "acme_specs"
NAMES = ("acme/deep_digits", "acme/digits")
SMALL = "archbuilder: 1\nextends: quickstart\nname: small\nsummary: S.\n"


def install(target: Path, name: str = "acme", value: str = "acme_specs", package: str = "acme-specs") -> Path:
    """Lays a package out as installers do: its files, its list of them and its entry points. Returns its folder."""
    folder = target / "acme_specs"
    shutil.copytree(EXAMPLE / "acme_specs", folder, dirs_exist_ok=True)
    facts = target / f"{package.replace('-', '_')}-1.2.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: 1.2.0\n")
    (facts / "entry_points.txt").write_text(f"[archbuilder.specs]\n{name} = {value}\n")
    files = [*folder.rglob("*.yaml"), folder / "__init__.py"]
    (facts / "RECORD").write_text("".join(f"{file.relative_to(target).as_posix()},,\n" for file in files))
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which Python looks for packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv(others.SEARCH_PATH, raising=False)
    return folder


def test_a_package_is_used_and_never_imported(tmp_path: Path) -> None:
    install(tmp_path)
    env = {"PYTHONPATH": f"{tmp_path}:{EXAMPLE.parent.parent}", "PATH": "/usr/bin:/bin"}
    assert python("-B", "-c", "import acme_specs", env=env).returncode == 1
    built = python("-m", "archbuilder", "build", "acme/deep_digits", "--json", cwd=tmp_path, env=env)
    assert (built.returncode, built.stderr) == (0, "")
    assert json.loads(built.stdout)["depth"] == 38
    assert not list(tmp_path.rglob("__pycache__"))


def test_the_example_names_itself_as_it_is_laid_out_here() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {others.GROUP: {"acme": "acme_specs"}}
    assert (project["name"], project["version"]) == ("acme-specs", "1.2.0")


def test_list_shows_package_version_and_hash(site: Path, call: Call) -> None:
    folder = install(site)
    entries = json.loads(call("list", "acme/*", "--json").out)
    assert [(one["name"], one["package"], one["version"]) for one in entries] == [
        (name, "acme-specs", "1.2.0") for name in NAMES
    ]
    (folder / "digits.yaml").write_text(SMALL)
    changed = json.loads(call("list", "acme/*", "--json").out)
    assert [one["sha256"] == two["sha256"] for one, two in zip(entries, changed, strict=True)] == [True, False]
    text = call("list", "acme/").out
    assert "acme/digits       acme-specs 1.2.0  " + changed[1]["sha256"][:12] + "  S." in text


def test_resolved_is_independent_of_everybody(site: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site)
    theirs, text = archbuilder.expand("acme/deep_digits"), call("show", "acme/deep_digits", "--resolved").out
    monkeypatch.syspath_prepend(str(EXAMPLE))  # which has no metadata: nothing is installed there
    shutil.rmtree(site)
    assert others.names("specs") == ()
    assert archbuilder.expand(archbuilder.load_text(text)) == theirs


def test_edits_and_own_specs_reach_their_units(site: Path, tmp_path: Path) -> None:
    install(site)
    spec = tmp_path / "own.yaml"
    spec.write_text(f"{SMALL}shortcut: acme/pooled\nstages: [{{units: 1, unit: acme/factorised, filters: 8}}]\n")
    edited = archbuilder.load("quickstart", ["stages.0.unit=acme/factorised"])
    assert edited.network.templates.units.keys() == {"acme/factorised", "acme/pair"}
    assert archbuilder.expand(edited).trainable < archbuilder.expand("quickstart").trainable
    assert any(isinstance(node.op, ops.AveragePool) for node in archbuilder.expand(spec, ["stages.0.stride=2"]).nodes)


def test_mistakes_in_their_files_are_shown_there(site: Path, call: Call) -> None:
    unit = install(site) / "units" / "pair.yaml"
    unit.write_text(unit.read_text().replace("norm", "nrm"))
    assert f"{unit}:8:5: error[unknown-layer]: there is no layer or unit called 'nrm'" in call("build", NAMES[1]).err
    unit.write_text("layers: [")
    assert f"{unit}:1:10: error[yaml-syntax]" in call("build", NAMES[1]).err.splitlines()[0]


def test_hints_know_them(site: Path, call: Call) -> None:
    install(site)
    assert "did you mean 'acme/digits'" in call("draw", "acme/digit").err
    assert "did you mean 'acme/factorised'?" in call("build", "quickstart", "--set", "unit=acme/factorized").err
    assert "did you mean 'acme/pooled'?" in call("build", "quickstart", "--set", "shortcut=acme/poled").err


def test_the_schema_knows_them(site: Path) -> None:
    own = yaml.safe_load((EXAMPLE / "acme_specs" / "digits.yaml").read_text())
    plain = {key: value for key, value in archbuilder.load("quickstart").resolved.items() if key != "templates"}
    specs = [own, plain | {"unit": "acme/factorised", "shortcut": {"acme/pooled": None}}]
    assert [jsonschema.Draft202012Validator(json_schema()).is_valid(one) for one in specs] == [False, False]
    install(site)
    others._packages.cache_clear()
    assert [jsonschema.Draft202012Validator(json_schema()).is_valid(one) for one in specs] == [True, True]


def test_nothing_of_theirs_is_kept(site: Path) -> None:
    install(site)
    made = iter(["one", "two"])
    assert [disk_cache.kept_text([NAMES[1]], (), "this", lambda: next(made)) for _ in range(2)] == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("he2015", "acme_specs", "bundled specs are called he2015"),
        ("quickstart", "acme_specs", "bundled specs are called quickstart"),
        ("acme", "acme_specs.units", "its entry point is to name a top-level package, and not 'acme_specs.units'"),
        ("acme", "acme_specs:specs", "its entry point is to name a top-level package, and not 'acme_specs:specs'"),
        ("acme", "elsewhere", "its list of files has no folder elsewhere"),
        ("ac-me", "acme_specs", "'ac-me' is no name for them"),
    ],
)
def test_a_package_is_refused_in_words(site: Path, call: Call, name: str, value: str, why: str) -> None:
    install(site, name, value)
    assert why in call("list", "quickstart").err
    done = call("build", f"{name}/digits")
    assert done.code == 4
    assert why in done.err
    inner = call("build", "quickstart", "--set", f"unit={name}/factorised")
    assert why in inner.err or name == "ac-me"


def test_two_packages_of_one_name_are_refused(site: Path, call: Call) -> None:
    install(site)
    install(site, package="other-specs")
    assert "acme-specs 1.2.0 and other-specs 1.2.0 both call their specs acme/" in call("build", NAMES[0]).err


def test_links_out_of_a_package_are_refused(site: Path, call: Call, tmp_path: Path) -> None:
    folder = install(site)
    (tmp_path / "secret.yaml").write_text(SMALL)
    (folder / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "more").symlink_to(tmp_path)
    (folder / "units" / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    for name in ("out", "more/secret"):
        assert f"'acme/{name}' is a link out of acme-specs 1.2.0" in call("build", f"acme/{name}").err
    assert "is a link out of" in call("build", "quickstart", "--set", "unit=acme/out").err
    (folder / "digits.yaml").write_text("archbuilder: 1\nname: x\nextends: out.yaml\n")
    assert "own folder or below" in call("build", "acme/digits").err
    assert [name for name in others.names("specs") if name not in NAMES] == []


def test_an_editable_installation_is_read_where_it_was_made_from(site: Path, call: Call, tmp_path: Path) -> None:
    folder = install(site)
    facts = site / "acme_specs-1.2.0.dist-info"
    for place in ("src/acme_specs", "acme_specs"):
        shutil.copytree(folder, tmp_path / "project" / place)
    shutil.rmtree(folder)
    (facts / "RECORD").write_text("_acme.pth,,\n")
    note = {"url": (tmp_path / "project").as_uri(), "dir_info": {"editable": True}}
    (facts / "direct_url.json").write_text(json.dumps(note))
    assert [str(one.folder) for one in others.collections()] == [str(tmp_path / "project" / "src" / "acme_specs")]
    damaged: list[object] = [note | {"url": "https://example.com/x"}, note | {"dir_info": {}}, [], {"url": 3}]
    for bad in damaged:
        (facts / "direct_url.json").write_text(json.dumps(bad))
        others._packages.cache_clear()
        assert "it is not installed from a folder that has" in call("build", NAMES[0]).err


def test_folders_are_searched_in_order(site: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site)
    for folder in ("first", "second"):
        (tmp_path / folder / "acme" / "units").mkdir(parents=True)
        for name in ("net", "resnet20_v1", "acme/digits"):
            (tmp_path / folder / f"{name}.yaml").write_text(SMALL.replace("small", folder))
    (tmp_path / "first" / "compose.yaml").write_text("services: {}\n")
    monkeypatch.setenv(others.SEARCH_PATH, f"{tmp_path / 'second'}:{tmp_path / 'nowhere'}")
    assert archbuilder.load("net").name == archbuilder.load("acme/digits").name == "second"
    assert archbuilder.load("resnet20_v1").name == "resnet20_v1"
    assert call("show", "net", "--resolved", "--specs", tmp_path / "first").out.count("name: first") == 1
    assert archbuilder.load("net").name == "second"
    listed = call("list", "--json", "--specs", tmp_path / "first")
    theirs = [(one["name"], one["folder"]) for one in json.loads(listed.out) if "folder" in one]
    first = str(tmp_path / "first")
    assert theirs == [("net", first), ("acme/digits", first), (NAMES[0], str(site / "acme_specs"))]
    assert f"there is no folder {tmp_path / 'nowhere'}, which ARCHBUILDER_PATH names" in listed.err
    assert "a bundled spec is called resnet20_v1" in listed.err


def test_specs_that_extend_each_other_in_a_cycle(site: Path, call: Call) -> None:
    (install(site) / "digits.yaml").write_text("archbuilder: 1\nname: x\nextends: acme/deep_digits\n")
    assert "in a cycle: acme/digits -> acme/deep_digits -> acme/digits" in call("build", "acme/digits").err


def test_the_shell_completes_them(site: Path, monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path) -> None:
    install(site)
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "net.yaml").write_text(SMALL)
    monkeypatch.setenv("_ARCHBUILDER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_CWORD", "4")
    for typed, expected in (("acme/dig", "plain,acme/digits"), ("ne", "plain,net")):
        monkeypatch.setenv("COMP_WORDS", f"archbuilder build --specs {tmp_path / 'team'} {typed}")
        assert expected in call().out.splitlines()


def test_their_templates_are_bounded(site: Path, call: Call) -> None:
    (install(site) / "units" / "pair.yaml").write_text("layers:\n" + "  - norm\n" * 19_990)
    assert "more than 20,000 values with the templates that it names" in call("build", NAMES[1]).err


def test_what_lies_in_no_folder_of_theirs_is_not_found(site: Path, tmp_path: Path) -> None:
    install(site)
    (tmp_path / "up.yaml").write_text(SMALL)
    for name in ("acme/../up", "../up", "acme//digits", "acme/units/pair", "/acme/digits", "acme/.hidden", "acme/"):
        assert others.find("specs", name) is None


def test_a_revision_of_git_may_extend_them(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text("archbuilder: 1\nname: own\nextends: acme/digits\n")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "own.yaml"], check=True)
    assert str(archbuilder.diff(":own.yaml", "acme/digits"))
