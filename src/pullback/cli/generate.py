"""`pullback generate`: a trained language model writes on."""

import sys
from typing import Annotated, Any

import typer

from pullback.base.errors import DataError
from pullback.cli.options import Run
from pullback.data.text import Vocabulary
from pullback.train.run_folder import RunFolder
from pullback.train.write_on import write_on


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text)


Prompt = Annotated[str, _option("The text to go on from.")]
Tokens = Annotated[int, typer.Option(help="How many characters to write.", min=0)]
Temperature = Annotated[float, _option("Below 1 what is likely becomes likelier; 0 takes the likeliest.")]
TopK = Annotated[int | None, _option("Draw from the K likeliest alone.")]
TopP = Annotated[float | None, _option("Draw from the likeliest alone that together make up this share.")]
Seed = Annotated[int, _option("Another seed, another text.")]


def generate_verb(
    run: Run,
    prompt: Prompt = "\n",
    tokens: Tokens = 500,
    temperature: Temperature = 0.8,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = 0,
) -> None:
    """Have a network that learnt a text write on from a prompt, character by character.

    **Examples**

    - `pullback generate runs/austen-gpt-2025-06-01-1 --prompt "It is a truth"`

    - `pullback generate runs/austen-lstm-2025-06-01-1 --tokens 200 --temperature 0.5 --seed 3`
    """
    folder = RunFolder.existing(run)
    about = folder.about()
    if about.task != "language":
        raise DataError(
            f"{folder} is a network for {about.task}; pullback predict uses it. Texts are learnt by austen-gpt"
        )
    vocabulary = Vocabulary("".join(about.class_names))
    options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    text = write_on(folder.model(), vocabulary, about.inputs, prompt, tokens, **options)
    sys.stdout.write(f"{prompt}{text}\n")
