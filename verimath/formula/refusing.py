"""What no array of a formula can do, as it holds no numbers: branch, iterate, be changed."""

from typing import Any, NoReturn

from verimath.formula.source import refused


class Refusing:
    """The operations that an array of a formula refuses, each with what to do instead."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, *_: Any, **__: Any) -> NoReturn:
        raise refused(
            f"numpy's `{ufunc.__name__}` can't take part in a formula; "
            "use the functions of `xp = array_namespace(x)`, such as `xp.exp`"
        )

    def __array_function__(self, function: Any, *_: Any, **__: Any) -> NoReturn:
        raise refused(
            f"numpy's `{function.__name__}` can't take part in a formula; "
            "use the functions of `xp = array_namespace(x)`, such as `xp.sum`"
        )

    def __bool__(self) -> NoReturn:
        raise refused("a formula may not branch on the value of an array")

    def __float__(self) -> NoReturn:
        raise refused("an array of a formula holds no number; use array-API functions, not `math`")

    __int__ = __index__ = __complex__ = __float__  # pyright: ignore[reportAssignmentType]

    def __iter__(self) -> NoReturn:
        raise refused("a formula may not iterate over an array; use array-API operations")

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise refused("a formula may not assign into an array; build the result from operations")
