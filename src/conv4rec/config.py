"""Every setting, declared once: the Python API, `--set`, the TOML file and the saved model share it."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conv4rec.errors import ConfigError

Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Weight = Annotated[float, Field(ge=0.0)]


class Section(BaseModel):
    """A frozen group of settings; a field that does not exist is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


AnySection = TypeVar("AnySection", bound=Section)


class DataConfig(Section):
    """How ratings are read."""

    keep: Literal["last", "all", "error"] = "last"
    """Several events of one user, item and type name: keep the last (by time, then by row), keep all, or stop."""
    scale: tuple[float, ...] | None = None
    """The rating values that may occur, ascending. None: the values found in the data."""
    bins: Annotated[int, Field(ge=2, le=100)] | None = None
    """Cut continuous ratings into this many bins of equal width, each rated by its centre. None: no binning."""
    min_user: Annotated[int, Field(ge=0)] = 0
    """k-core: drop users with fewer interactions, until none is left."""
    min_item: Annotated[int, Field(ge=0)] = 0
    """k-core: drop items with fewer interactions, until none is left."""
    user: str | None = None
    """Name of the user column. None: the usual names (user, userId, user_id:token, ...); also for those below."""
    item: str | None = None
    """Name of the item column."""
    rating: str | None = None
    """Name of the rating column."""
    timestamp: str | None = None
    """Name of the column of time stamps."""
    type: str | None = None
    """Name of the column of interaction types (view, cart, purchase)."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """What stands between the fields of a text file. None: found in its first line."""
    header: bool | None = None
    """Whether the first line of a text file names the columns. None: found in that line."""
    timestamp_unit: Literal["s", "ms", "us", "ns"] = "s"
    """Unit of time stamps that are numbers, counted since 1970."""
    memory_mb: Positive = 8192
    """Most memory for the ratings of a folder of Parquet files, MiB; larger ones are trained from disk, by shards."""


class SplitConfig(Section):
    """How interactions are divided into train, validation and test."""

    recipe: Literal["random", "user", "time", "rolling", "leave-last-out", "given"] = "random"
    """random: each interaction; user: whole users; time: one cut for all; rolling: one cut for all, moved forward in
    time; leave-last-out: each user's last two; given: as the publisher of a named data set divides it."""
    validation: Fraction = 0.1
    """Share of the interactions (of the users, for `user`) that go to validation; not used by leave-last-out."""
    test: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share that goes to test, of each window for `rolling`; 0 makes no test part; not used by leave-last-out."""
    fold_in: Fraction = 0.8
    """For `user`: the share of a held-out user's interactions that is given as history."""
    windows: Positive = 3
    """For `rolling`: how many test parts, one after the other in time; the last one is the test part of `time`."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the split."""


class ModelConfig(Section):
    """The network of METHOD.md section 1: one path for what is consumed, one for how it is rated."""

    channels: Positive = 4
    """C, output channels of the 1x1 convolution over interaction types, consumption path."""
    embedding_dim: Positive = 256
    """D, width of the consumption bottleneck."""
    activation: Literal["tanh", "gelu", "relu", "identity"] = "tanh"
    """Non-linearity of both bottlenecks."""
    rating_channels: Annotated[int, Field(ge=3)] = 4
    """Channels of the 1x1 convolutions into and out of the rating bottleneck."""
    rating_embedding_dim: Positive = 64
    """Width of the rating bottleneck."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3
    """Share of the consumption bottleneck dropped in training."""


class TrainConfig(Section):
    """How the network is fitted."""

    epochs: Positive | None = None
    """Passes over the users, over which the step size falls linearly to zero. None: 25 for up to 100,000 interactions,
    falling to 14 for a million."""
    batch_size: Positive | None = None
    """Users in a batch. None: a sixteenth of the users, but 32 to 256, so that an epoch of few users has its steps."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 2e-3
    """Step size of Adam in the first epoch, for up to 100,000 interactions; for more it is up to five times this."""
    weight_decay: Weight = 0.01
    """L2 penalty on the tables of the consumption path, divided by the square root of the number of interactions."""
    rating_weight_decay: Weight = 0.12
    """L2 penalty on the tables of the rating path, divided by the square root of the number of interactions."""
    spectral_penalty: Weight = 0.0
    """Weight of the spectral norms of the tables in the loss: factors of the generalization bound (docs/theory.md)."""
    distance_penalty: Weight = 0.0
    """Weight of the distances from the initial weights in the loss, (2,1)-norms: these are the sum in the bound."""
    softmax: Literal["auto", "exact", "sampled"] = "auto"
    """exact: over all items, in blocks. sampled: over items drawn anew in every step, and only table rows that were met
    move, which is for very large catalogues. auto: exact for up to 200,000 items, sampled for more."""
    draws: Positive = 8192
    """Items drawn in a step of the sampled softmax."""
    mask: Fraction = 0.3
    """Share of a user's interactions hidden and predicted from the rest."""
    rating_mask: Fraction | None = None
    """Share hidden from the rating path, where others are to be hidden from it than from the consumption path, which
    makes a step longer. Default: the same interactions."""
    rating_weight: Weight = 1.0
    """Weight of the explicit part of the loss; any but 1 weakens the bound on recovery (docs/theory.md)."""
    denoise: Literal["none", "idl", "ig"] = "none"
    """Inverse learning on items not known to be taken, by the inverse dual loss or the inverse gradient; any but none
    gives up the recovery of the true law. docs/denoising.md says when it helps."""
    denoise_weight: Weight = 0.1
    """Weight of the inverse dual loss beside that of consumption; for ig the length of a trial, in steps of Adam."""
    denoise_warmup: Annotated[int, Field(ge=0)] = 3
    """Epochs before inverse learning begins, in which interactions alone show the model where it stands."""
    patience: Positive = 10
    """Stop after this many epochs without a better validation figure."""
    validation_users: Positive = 1000
    """After an epoch the figures are those of at most this many users, drawn once."""
    monitor: Literal["nll", "nll_consume", "nll_rating", "ndcg@20", "rmse"] = "nll"
    """Validation figure that decides when to stop and which epoch is kept."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of initialisation, order, masks and dropout; same seed, same machine, same model to the bit."""
    device: str = "auto"
    """auto (CUDA where there is one), cpu, cuda or cuda:N."""
    item_tables: Literal["auto", "whole", "sharded"] = "auto"
    """Where several workers train. whole: every worker has all items, and a part of the users of a batch. sharded: each
    has the rows of a part of the items, and all users. auto: sharded where whole tables need more than memory_mb."""
    memory_mb: Positive = 8192
    """Most memory of a worker for weights, the best so far, gradients and optimiser, MiB; see item_tables."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 products on a CUDA device that has them, float32 elsewhere."""


class ExpertConfig(Section):
    """The closed forms that join the network in a product of experts, after it is trained."""

    neighbours: Annotated[int, Field(ge=0)] = 128
    """Items from which each item's consumption is explained; 0: no item-item path."""
    penalty: Annotated[float, Field(gt=0.0)] = 12.0
    """Ridge penalty of the item-item path, in users whose history has one item."""
    factors: tuple[Positive, ...] = (8, 16)
    """Numbers of factors of ratings to try; the one of best validation likelihood stays. Empty: no rating experts."""
    sweeps: Positive = 16
    """Updates of the factors."""
    rating_neighbours: Annotated[int, Field(ge=0)] = 32
    """Items from which each item's rating is explained; 0: from the factors alone."""
    rating_penalty: Annotated[float, Field(gt=0.0)] = 100.0
    """Ridge penalty of these, in users."""
    memory_mb: Positive = 1024
    """Upper limit on the products of items that are held while fitting, MiB; beyond it they are made block by block."""


class EvaluateConfig(Section):
    """What is measured on held-out data."""

    k: tuple[Positive, ...] = (5, 10, 20)
    """List lengths of the ranking metrics."""
    relevant: float | None = None
    """The lowest rating that counts as relevant in the ranking. None: every held-out interaction counts."""
    like: float | None = None
    """The lowest rating that counts as liked. None: the lowest in the upper quarter of the scale."""
    bootstrap: Annotated[int, Field(ge=0)] = 1000
    """Replicates behind the confidence intervals, users drawn with replacement; 0: no intervals."""
    confidence: Fraction = 0.95
    """Level of the confidence intervals."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the replicates: the same for two models gives them the same users, which pairs them."""
    memory_mb: Positive = 512
    """Upper limit on scoring memory, MiB; sets how many users are scored at once."""


class CompressConfig(Section):
    """How vectors become sparse codes, and how a compressed model finds items: METHOD.md section 5."""

    width: Annotated[int, Field(ge=2, le=65_536)] | None = None
    """S, the number of atoms: directions that codes are made of. None: half as many as vectors, at most 4096."""
    k: Positive | None = None
    """Entries of a code. None: as many as `ratio` leaves room for."""
    ratio: Annotated[float, Field(gt=1.0)] = 12.0
    """How many times fewer bytes an index of the codes takes than the vectors, for every vector; atoms not counted."""
    second_weight: Weight = 0.125
    """Weight of the loss of codes with four times as many entries."""
    epochs: Positive | None = None
    """Passes over the vectors. More of them bring decoded vectors nearer, and the codes of neighbours further apart.
    None: 8, but about 300 batches where there are many vectors, and one pass at least."""
    batch_size: Positive | None = None
    """Vectors in a batch. None: a twelfth of them, but 64 to 512, so that a pass over few has its steps."""
    learning_rate: Annotated[float, Field(gt=0.0)] | None = None
    """Step size of Adam. None: 4e-4 for two vectors an atom, and more with
    the root of their number, up to 1e-3."""
    candidates: Positive = 100
    """Items that the index finds for each user, or item, to be ranked by the exact law."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the first atoms and of the order of the vectors."""
    device: str = "auto"
    """auto (CUDA where there is one), cpu, cuda or cuda:N."""


class Config(Section):
    """All settings of a run."""

    data: DataConfig = DataConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    experts: ExpertConfig = ExpertConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    compress: CompressConfig = CompressConfig()


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Defaults, then the TOML file, then `section.field=value` overrides, the later winning."""
    settings = read_toml(path) if path is not None else {}
    for override in overrides:
        _set(settings, override)
    return make_config(settings)


def make_config(settings: Mapping[str, Any]) -> Config:
    """Validate nested settings; the first fault raises ConfigError naming the setting."""
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(_first_fault(error)) from None


def make_section(kind: type[AnySection], settings: Mapping[str, Any], name: str) -> AnySection:
    """One section by itself; the first fault raises ConfigError naming the setting, which is in section `name`."""
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(_first_fault(error, f"{name}.")) from None


def override(config: Config, overrides: Sequence[str]) -> Config:
    """These settings, changed by `section.field=value` overrides, the later winning."""
    settings = config.model_dump()
    for each in overrides:
        _set(settings, each)
    return make_config(settings)


def get_setting(config: Config, name: str) -> Any:
    """The value of `section.field`."""
    section, _, field = name.partition(".")
    return getattr(getattr(config, section), field)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; one that cannot be read, or is not TOML, raises ConfigError."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None


def _set(settings: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    section, dot, field = name.strip().partition(".")
    if not (equals and dot):
        raise ConfigError(f"--set {override!r}: expected section.field=value, such as train.epochs=5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    group = settings.setdefault(section, {})
    if not isinstance(group, dict):
        raise ConfigError(f"--set {override!r}: {section} is not a section")
    group[field] = value


def _first_fault(error: ValidationError, section: str = "") -> str:
    fault = error.errors(include_url=False)[0]
    where = section + ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"setting {where} does not exist; `conv4rec config` prints those that do"
    return f"setting {where}: {fault['msg']}; got {fault['input']!r}"
