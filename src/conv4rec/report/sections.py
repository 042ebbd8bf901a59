"""The words of a report: what was compared, how, and what to beware of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from conv4rec.compare.markdown import budget_in_words
from conv4rec.report.groups import Group, unique
from conv4rec.report.html import Html, element, text


def warnings(group: Group) -> Html:
    """Leaks and other dangers, or that none was found."""
    found = unique(warning for record in group.measured for warning in record.warnings)
    if not group.measured:
        return element("p", "There are no figures: every job failed.", class_="calm")
    if not found:
        return element("p", "The records warn of no leak and no other danger.", class_="calm")
    heading = element("p", element("strong", f"Before you believe the figures: {_count(len(found), 'warning')}"))
    return element("div", heading, _items(found), class_="warning", role="note")


def facts(group: Group, written: tuple[datetime, datetime]) -> Html:
    """Data, protocol, runs and dates."""
    failed = [record for record in group.records if record.error is not None]
    first, last = (f"{moment:%Y-%m-%d %H:%M %Z}" for moment in written)
    rows = {
        "Data": group.data,
        "Recipe": group.recipe,
        "Split": _items(unique(record.split for record in group.measured if record.split)),
        "Seeds": ", ".join(str(seed) for seed in sorted({record.seed for record in group.records})),
        "Time windows": str(len({record.window for record in group.records})),
        "Models": ", ".join(group.models),
        "Jobs": f"{_count(len(group.measured), 'job')} with figures, {len(failed)} failed",
        "Tested on": _counts(group),
        "Records written": first if first == last else f"{first} to {last}",
    }
    return element("dl", [text(element("dt", name), element("dd", value)) for name, value in rows.items() if value])


def notes(group: Group) -> Html:
    """Relevance rule and denominators: what holds for all models, then what holds for some."""
    told = _by_model([(record.model, record.notes) for record in group.measured])
    return element("ul", [element("li", each) for each in told]) if told else element("p", "The records hold none.")


def searches(group: Group) -> Html:
    """Hyper-parameters of every model, and how they were searched."""
    rows = []
    for model in unique(record.model for record in group.measured):
        mine = [record for record in group.measured if record.model == model]
        budgets = tuple(record.budget for record in mine if record.budget is not None)
        params = unique(_settings(record.params) for record in mine)
        told = budget_in_words(budgets) if budgets else "not searched"
        words = [element("code", each) if each else "none" for each in params]
        rows.append(element("tr", element("th", model, scope="row"), element("td", words), element("td", told)))
    heads = [element("th", name, scope="col") for name in ("model", "settings", "search")]
    table = element("table", element("thead", element("tr", heads)), element("tbody", rows), class_="words")
    return element("div", table, class_="wide", tabindex=0, role="region", aria_label="hyper-parameters")


def settings(group: Group) -> Html:
    """All settings, once for the records that share them."""
    found: dict[str, list[str]] = {}
    for record in group.measured:
        if record.config:
            found.setdefault(json.dumps(record.config, indent=1, ensure_ascii=False), []).append(record.job)
    if not found:
        return element("p", "The records hold no settings.")
    return text(text(element("p", ", ".join(jobs)), element("pre", told)) for told, jobs in found.items())


def absent(sentences: Iterable[str]) -> Html | None:
    """What a picture does not show."""
    told = " ".join(sentences)
    return element("p", told, class_="how") if told else None


def _by_model(texts: Sequence[tuple[str, Iterable[str]]]) -> list[str]:
    """Every text once; those that not all records have with the names of the models that do."""
    holders: dict[str, list[str]] = {}
    for model, several in texts:
        for each in unique(several):
            holders.setdefault(each, []).append(model)
    common = [each for each, models in holders.items() if len(models) == len(texts)]
    rest = [f"{', '.join(unique(models))}: {each}" for each, models in holders.items() if len(models) < len(texts)]
    return [*common, *rest]


def _items(texts: Iterable[str]) -> Html | None:
    told = [element("li", each) for each in texts]
    return element("ul", told) if told else None


def _counts(group: Group) -> str:
    """Users and interactions, where all records agree."""
    shared = dict(group.measured[0].counts) if group.measured else {}
    agreed = {name: value for name, value in shared.items() if all(r.counts.get(name) == value for r in group.measured)}
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in agreed.items())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _settings(params: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in params.items())
