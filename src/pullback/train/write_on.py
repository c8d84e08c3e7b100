"""A text of characters that goes on as a trained network has it."""

from pullback.base.errors import ArgumentError
from pullback.data.text import Vocabulary
from pullback.models.generate import generate
from pullback.models.lstm_lm import LSTMLanguageModel
from pullback.nn.module import Module
from pullback.tensor.creation import from_numpy
from pullback.tensor.random import Generator
from pullback.tensor.tensor import Tensor


def write_on(
    model: Module,
    vocabulary: Vocabulary,
    context: int,
    prompt: str,
    tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> str:
    """So many characters more, each drawn from what the network holds likely after the prompt and those before it.

    context: how many characters the network looks back at most; one with a state has it instead. The other options are
    those of `models.generate.sample`; the same seed gives the same text.

    Raises ArgumentError for an empty prompt, DataError for a character that the network does not know.
    """
    if not prompt:
        raise ArgumentError("a text goes on from a prompt of at least one character; got none")
    ids = vocabulary.encode(prompt)
    generator = Generator().manual_seed(seed)
    if isinstance(model, LSTMLanguageModel):
        reader, context = _Reader(model), 1
    else:
        reader, ids = model, ids[-context:]  # type: ignore[assignment]  # both give logits for characters
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "generator": generator}
    found = generate(reader, from_numpy(ids[None]), tokens, context=context, **options)  # type: ignore[arg-type]
    return vocabulary.decode(found.numpy()[0, len(ids) :])


class _Reader:
    """An LSTM that is handed every character once and remembers them in its state."""

    def __init__(self, model: LSTMLanguageModel) -> None:
        self.model = model
        self.state: tuple[Tensor, Tensor] | None = None

    def __call__(self, ids: Tensor) -> Tensor:
        logits, self.state = self.model(ids, self.state)
        return logits
