"""`conv4rec types`: what the interaction types are to a model."""

import typer

from conv4rec.cli import options
from conv4rec.cli.output import print_json, print_rows


def types(model: options.Model, as_json: options.Json = False) -> None:
    """Show which interaction types the model treats alike, and what its channels mean, for each of its two paths.

    Likeness is the cosine of what two types add to the bottleneck, over all items: 1 alike, -1 opposite. The weights of
    a type in the channels are its row of the learned 1x1 convolution.
    """
    from conv4rec.recommender import Conv4Rec

    found = Conv4Rec.load(model).interaction_types()
    if as_json:
        print_json({"model": str(model), **found.to_dict()})
        return
    for path in found.strength["path"].unique(maintain_order=True):
        alike, channels, strength = (t.filter(path=path) for t in (found.alike, found.channels, found.strength))
        typer.echo(f"{path}: likeness, and strength of a single interaction")
        matrix = alike.pivot(on="other", index="type", values="effect_cosine")
        print_rows(matrix.join(strength.select("type", "strength"), on="type", maintain_order="left"))
        typer.echo(f"\n{path}: weights of the channels")
        print_rows(channels.pivot(on="channel", index="type", values="weight"))
        typer.echo("")
