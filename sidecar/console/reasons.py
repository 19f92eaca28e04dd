"""The reason of an operator action: text that is kept for ever, and shown on other people's terminals and pages."""

from typing import Annotated

import msgspec

_PLAIN = r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
"""No control characters but tabs and line feeds, and no bidirectional overrides: the text is shown on other people's
terminals and pages."""
_SEEN = r"[^\W_\u115f\u1160\u3164\uffa0]"
"""A letter or a digit, but none of the letters without a shape; zero-width characters and blanks are none."""
Reason = Annotated[str, msgspec.Meta(max_length=500, pattern=rf"\A(?=(?s:.)*{_SEEN}){_PLAIN}+\Z")]
