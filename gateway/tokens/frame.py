"""What a chat template writes around the texts of a prompt, in tokens."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.tokens.pieces import Pieces


@dataclass(frozen=True, slots=True)
class Frame:
    """Tokens beside the texts: of the whole `request`, of each `message` with its role, of each `name`, `call` and `tools`.

    `exact` tells that these are the server's own figures for messages of plain text; otherwise it never takes more.
    """

    request: int
    message: int
    name: int
    call: int = 32
    tools: int = 512
    """Once, where there are tools: the instructions that a template writes before them."""
    exact: bool = False

    def around(self, pieces: Pieces) -> int:
        """Return the tokens that stand beside the texts and the JSON of a prompt."""
        return (
            self.request
            + self.message * pieces.messages
            + self.name * pieces.names
            + self.call * (pieces.calls + pieces.tools)
            + (self.tools if pieces.tools else 0)
            + pieces.media
        )


BOUND_FRAME = Frame(request=128, message=16, name=4)
"""More than any chat template in use writes: control tokens and a role (16); the first token, a default system message (some
have 90 tokens) and the beginning of the answer (128)."""

OPENAI_FRAME = Frame(request=3, message=4, name=1, exact=True)
"""OpenAI's published figures for gpt-3.5-turbo, gpt-4 and gpt-4o."""
