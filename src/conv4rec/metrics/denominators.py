"""What every figure is a mean over, what counts as relevant, and what is absent and why: a sentence each."""

from collections.abc import Collection, Iterator, Mapping

from conv4rec.metrics.batch import Plan

Counts = Mapping[str, int]

_NO_RANKING = ("metrics of the ranking and of p_consume: not measured, the predictor makes no claim on what is taken",)
_NO_RATING = ("metrics of the ratings: not measured, the predictor makes no claim on them",)


def notes(plan: Plan, counts: Counts, defined: Collection[str], *, with_exposure_intervals: bool) -> Iterator[str]:
    """The notes of a report, whose metrics are those that are defined."""
    config = plan.config
    if counts["users_without_targets"]:
        yield f"{counts['users_without_targets']} users without targets are not counted"
    yield from _ranking(plan, counts, defined) if plan.catalogue is not None else _NO_RANKING
    yield from _rating(plan, counts, defined) if plan.with_types else _NO_RATING
    if config.bootstrap:
        yield f"intervals: {config.confidence:.0%}, {config.bootstrap} bootstrap replicates, seed {config.seed}"
    if plan.catalogue is not None and config.bootstrap and not with_exposure_intervals:
        yield "coverage, gini: no intervals, because their replicates do not fit evaluate.memory_mb"


def _ranking(plan: Plan, counts: Counts, defined: Collection[str]) -> Iterator[str]:
    least = plan.config.relevant
    rule = "every held-out item" if least is None else f"held-out items rated {least:g} or more,"
    yield (
        f"ranking metrics: mean over {counts['users_ranked']} users, whole catalogue; relevant: {rule} not in the "
        "history; recall@k and map@k divide by min(k, relevant items), precision@k by k; ties go to the lower item "
        "index, and count half for auc"
    )
    if missing := counts["users"] - counts["users_ranked"]:
        yield f"{missing} users without a relevant item outside their history are not ranked"
    if counts["users_ranked"] and "auc" not in defined:
        yield "auc: not defined, the ranked users have no other item that they have not seen"
    yield (
        f"coverage@k, gini@k: over the whole catalogue and the lists of {counts['users']} users; popularity@k: share "
        "of users that have an item; novelty@k: bits; diversity@k: 1 - cosine of who has the items"
    )
    if plan.catalogue is not None and plan.catalogue.is_estimate:
        n = plan.catalogue.vectors.shape[1]
        yield f"diversity@k: estimated from {n} numbers an item; its interval is that over users only"
    yield f"nll_consume, brier_consume, ece_consume: mean over {counts['interactions']} interactions, nll in nats"


def _rating(plan: Plan, counts: Counts, defined: Collection[str]) -> Iterator[str]:
    yield f"nll_rating: mean over {counts['interactions']} interactions, in nats"
    if not counts["rated_interactions"]:
        yield "rmse and all other metrics of ratings: not defined, none of the interactions is rated"
        return
    yield (
        f"rmse, mae, rps, accuracy, brier_like, ece_like: mean over {counts['rated_interactions']} rated interactions; "
        f"liked: rated {plan.like:g} or more; auc_like: pooled over them; ndcg_like@k: rated items of a user in the "
        f"order of p_like, mean over {counts['users_who_like']} users who like one"
    )
    if "auc_like" not in defined:
        yield f"auc_like: not defined, {'all' if counts['users_who_like'] else 'none'} of the ratings are liked"
