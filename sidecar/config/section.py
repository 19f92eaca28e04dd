"""The parent of every mapping in the file, and the annotation of a list."""

import msgspec


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """The annotation of a list."""

    at_least: int
    at_most: int
    of: str
    is_set: bool = False
    """Whether the same value twice is refused."""

    @property
    def allowed(self) -> str:
        """The form and the range."""
        return f"a list of {self.at_least} to {self.at_most} {self.of}"


def _key(field: str) -> str:
    return field.removesuffix("_ms").removesuffix("_ppm")


class Section(msgspec.Struct, frozen=True, kw_only=True, rename=_key):
    """A mapping in the file: the parent of all sections, which derives the keys from the field names."""
