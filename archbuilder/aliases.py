"""Types that many modules name, without a cost at run time: nothing is imported for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"
Tensor = Any
"""A tensor of TensorFlow, Keras or JAX."""
Variable = Any
"""A variable of TensorFlow."""
Json = dict[str, Any]
"""An object of a JSON file."""
Level = Literal["stage", "unit", "layer"]
"""How finely a network is shown."""
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
