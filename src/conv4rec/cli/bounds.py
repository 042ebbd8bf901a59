"""`conv4rec bounds`: what theory says of a model's generalization, beside what is measured."""

from typing import TYPE_CHECKING

from rich.console import Console

from conv4rec.cli import options
from conv4rec.cli.output import download_bar, print_json, print_rows

if TYPE_CHECKING:
    from conv4rec.theory.bounds import Factors
    from conv4rec.theory.certificate import Certificate

NOTES = (
    "s: spectral norm, by power iteration to a relative error of 1e-4 (of the last map of consumption the longest row, "
    "of the rating decoder the largest block); b: (2,1)-norm of the distance from the initialisation (of the last map "
    "of consumption the Frobenius norm); term: its part of the bound, with its logarithm.",
    "N: the theorems take independent samples. Users are; the interactions of one user are not, and bounds that count "
    "them are what would hold if they were.",
    "Bounds are of the network alone, without its experts, with 1/1000 of the uniform law mixed in; gap: mean loss on "
    "the test part less that on training interactions hidden as in training. A bound above the loss of the uniform law "
    "says nothing: vacuous. TV: by Pinsker from the smaller bound, for weights of least training loss and beyond what "
    "the class of laws cannot say.",
    "The whole law, with experts: its scalars, the epoch and the number of factors were chosen on the validation part, "
    "which the rest never saw, so that a bound by a count of these alone holds between validation and test.",
)


def bounds(
    model: options.Model,
    data: options.Source,
    test: options.TestSource = None,
    query: options.Query = None,
    as_json: options.Json = False,
) -> None:
    """Print every factor of the generalization bounds of a model, the bounds, and the measured gap beside them.

    --data are those of the training; the split is made again from the settings in the model. docs/theory.md derives the
    bounds step by step, and says what they assume.
    """
    from conv4rec.cli.evaluate import check_same_data
    from conv4rec.data.parts import load_all_parts
    from conv4rec.recommender import Conv4Rec
    from conv4rec.theory.certificate import certify

    fitted = Conv4Rec.load(model)
    with download_bar() as progress:
        parts = load_all_parts(data, fitted.config, test=test, query=query, progress=progress)[-1]
    if test is None:
        check_same_data(fitted, parts.known)
    found = certify(fitted, parts)
    if as_json:
        print_json({"model": str(model), "data": parts.known.name, **found.to_dict(), "notes": NOTES})
    else:
        _print(found)


def _print(found: "Certificate") -> None:
    import polars as pl

    for factors in found.factors:
        _say(_heading(factors))
        print_rows(pl.DataFrame(factors.to_rows()))
    _say("\nbounds of the gap between training and test, nats")
    print_rows(pl.DataFrame([each.to_row() for each in found.bounds]))
    for path, needed in found.needed.items():
        _say(
            f"{path}: with these weights, not vacuous from N = {needed['by_norm']:.1e} by norms, "
            f"{needed['by_count']:.1e} by parameters"
        )
    _say("\nbound of the gap between validation and test, whole law, nats")
    print_rows(pl.DataFrame([each.to_row() for each in found.held_out]))
    for note in NOTES:
        _say(note, style="dim")


def _heading(factors: "Factors") -> str:
    return (
        f"\n{factors.path}: input norm X = {factors.input_norm:.4g}, {factors.n_outcomes:,} outcomes, "
        f"loss at most {factors.loss_bound:.2f} nats, "
        f"X prod(s rho) (sum (b/s)^(2/3))^(3/2) = {factors.leading_term:.4g}"
    )


def _say(text: str, *, style: str | None = None) -> None:
    Console().print(text, highlight=False, markup=False, style=style)
