"""How good the active policy is on tickets whose queue somebody knows, next to the keyword rules on the same ones."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from scoring.keyword import Keyword
from scoring.measures import (
    BINS,
    Z_88,
    auc_interval,
    bin_of,
    brier,
    ece_interval,
    kappa,
    log_loss,
    paired_difference,
    wilson,
)
from scoring.types import Request, Scorer
from tickets.flow.decide import MILLION, decide
from tickets.flow.origin import fallback_values, values_of
from tickets.models import Label, Policy, Queue, RegisteredModel
from tickets.policy.labels import by_people, calibrated_on, last_said, learned_by, unknown_to
from tickets.policy.measured import LABELS, Measured

STRATA = {"technical": 0.7, "open": 0.2, "controversial": 0.1}
"""The shares of a stratified sample, by the member `stratum` of a line."""
GROUPS = ("language", "region", "channel", "length", "stratum")
_LENGTHS = ((200, "to 200"), (1_000, "to 1,000"), (4_000, "to 4,000"))
_MAIN = ("tickets", "urgent", "accuracy", "accuracy_rules", "auc", "queues", "ece", "brier", "log_loss")
_MOST_GROUPS = 200
_BATCH = 64
_PLACES = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A text and the queue it belongs in. about: language, region, channel ... as far as they are known.

    digest: that of an input, which its nonce protects; empty for texts from elsewhere.
    """

    text: str
    urgent: bool
    about: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """score, rules: probability of the policy's model, and of the keyword rules; said, rules_said: urgent or not."""

    case: Case
    score: float
    said: bool
    rules: float
    rules_said: bool

    @property
    def right(self) -> bool:
        return self.said == self.case.urgent

    @property
    def rules_right(self) -> bool:
        return self.rules_said == self.case.urgent


def labelled_by_people(model: RegisteredModel) -> list[Case]:
    """What people said last of each ticket that the model has not learned from, with the text they said it about."""
    said = last_said(unknown_to(model))
    return [Case(text.text, label.queue == Queue.URGENT, _about(label), text.digest) for label, text in said]


def sample(cases: Sequence[Case], number: int, seed: int) -> list[Case]:
    """So many, drawn by stratum as STRATA says. Raises ValueError where a stratum has too few."""
    chance, drawn = random.Random(seed), []
    for name, wanted in apportioned(number).items():
        members = [one for one in cases if one.about.get("stratum") == name]
        if len(members) < wanted:
            raise ValueError(f"{wanted} tickets of stratum {name} are wanted, and {len(members)} are there.")
        drawn += chance.sample(members, wanted)
    return drawn


def apportioned(number: int) -> dict[str, int]:
    """How many of each stratum make `number` in all: whole parts first, then by the largest remainders (Hamilton)."""
    exact = {name: number * share for name, share in STRATA.items()}
    counts = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(STRATA, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: number - sum(counts.values())]:
        counts[name] += 1
    return counts


def judge(
    cases: Sequence[Case], policy: Policy, scorer: Scorer, progress: Callable[[int], object] = int
) -> list[Outcome]:
    """Scores each case as a live ticket would be, and by the keyword rules as the fallback would."""
    outcomes: list[Outcome] = []
    live, fallback = values_of(policy), fallback_values(policy)
    for start in range(0, len(cases), _BATCH):
        batch = cases[start : start + _BATCH]
        requests = [Request(case.text, policy.rubric) for case in batch]
        for case, score, rule in zip(batch, scorer.score(requests), Keyword().score(requests), strict=True):
            model, rules = decide(live, score), decide(fallback, rule)
            urgent = Queue.URGENT
            outcomes.append(
                Outcome(
                    case, model.score / MILLION, model.queue == urgent, rules.score / MILLION, rules.queue == urgent
                )
            )
        progress(len(outcomes))
    return outcomes


def report(outcomes: Sequence[Outcome], policy: Policy) -> dict[str, Any]:
    """Every figure; shares with their 95 % intervals as [share, lower, upper]. between: of figures that are no shares,
    [lower, upper]. Of each kind the 200 largest groups.
    """
    scores, labels = [one.score for one in outcomes], [one.case.urgent for one in outcomes]
    between = {
        "auc": auc_interval(scores, labels),
        "auc_rules": auc_interval([one.rules for one in outcomes], labels),
        "ece": ece_interval(scores, labels),
    }
    return {
        "policy": policy.number,
        "threshold": policy.threshold / MILLION,
        "model": policy.model.name,
        "model_digest": policy.model.digest,
        "calibration": policy.calibration.version,
        "tickets": len(outcomes),
        "urgent": sum(labels),
        **_compared(outcomes),
        "auc": between["auc"][0],
        "auc_rules": between["auc_rules"][0],
        "queues": {queue: _queue(outcomes, is_urgent=queue == "urgent") for queue in ("urgent", "standard")},
        "ece": between["ece"][0],
        "brier": round(brier(scores, labels), _PLACES),
        "log_loss": round(log_loss(scores, labels), _PLACES),
        "between": {name: list(interval[1:]) for name, interval in between.items()},
        "calibration_table": _calibration_table(outcomes),
        "groups": {name: groups for name in GROUPS if (groups := _by(outcomes, name))},
    }


def data_digest(cases: Iterable[Case]) -> str:
    """SHA-256 in hex over the sorted lines "digest, 0 or 1"; digest: of the input, or SHA-256 of the text."""
    lines = sorted(
        f"{one.digest or hashlib.sha256(one.text.encode()).hexdigest()} {int(one.urgent)}\n" for one in cases
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def measured(source: str, outcomes: Sequence[Outcome], policy: Policy) -> Measured:
    """What `report` says of a source, with how far people agree, ready to be kept.

    Of labels also, in tickets: left_out, which the model may have learned from; calibrated_on, which are judged though
    they were labelled when the calibration in use was made, so that it may have been fitted on them.
    """
    digest = data_digest(one.case for one in outcomes)
    found = report(outcomes, policy) | {"data_digest": digest, "people": agreement()}
    if source == LABELS:
        found["left_out"] = _tickets(learned_by(policy.model))
        found["calibrated_on"] = _tickets(calibrated_on(policy.calibration) & unknown_to(policy.model))
    return Measured(source, digest, policy, found, {name: found[name] for name in _MAIN})


def _tickets(said: QuerySet[Label]) -> int:
    return said.values("ticket").distinct().count()


def agreement() -> dict[str, Any]:
    """How two people agree who labelled the same text, by the last word of each; a program's labels are no one's.

    A text counts once, however many labelled it: by the two who were the first to have their last word.
    """
    last = {(label.ticket_id, label.input_version, label.user_id): label for label in by_people()}
    words: dict[tuple[int, int], list[bool]] = {}
    for label in sorted(last.values(), key=lambda label: label.seq):
        words.setdefault((label.ticket_id, label.input_version), []).append(label.queue == Queue.URGENT)
    pairs = [(said[0], said[1]) for said in words.values() if len(said) > 1]
    agreed, beyond_chance = sum(one == other for one, other in pairs), kappa(pairs)
    return {
        "pairs": len(pairs),
        "agreement": wilson(agreed, len(pairs)),
        "agreement_88": wilson(agreed, len(pairs), Z_88),
        **({"kappa": beyond_chance[0], "kappa_between": list(beyond_chance[1:])} if beyond_chance else {}),
    }


def _about(label: Label) -> dict[str, str]:
    ticket = label.ticket
    known = {"language": ticket.requester.locale[:2], "region": ticket.requester.region, "channel": ticket.source}
    return {name: value for name, value in known.items() if value}


def _compared(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    rows = list(outcomes)
    model_only = sum(one.right and not one.rules_right for one in rows)
    rules_only = sum(one.rules_right and not one.right for one in rows)
    return {
        "accuracy": wilson(sum(one.right for one in rows), len(rows)),
        "accuracy_rules": wilson(sum(one.rules_right for one in rows), len(rows)),
        "points_over_rules": [round(100 * value, 2) for value in paired_difference(model_only, rules_only, len(rows))],
    }


def _queue(outcomes: Sequence[Outcome], *, is_urgent: bool) -> dict[str, Any]:
    there = [one for one in outcomes if one.said == is_urgent]
    belong = [one for one in outcomes if one.case.urgent == is_urgent]
    return {
        "precision": wilson(sum(one.right for one in there), len(there)),
        "recall": wilson(sum(one.right for one in belong), len(belong)),
    }


def _calibration_table(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    table = []
    for place in range(BINS):
        members = [one for one in outcomes if bin_of(one.score) == place]
        if members:
            mean = sum(one.score for one in members) / len(members)
            shares = wilson(sum(one.case.urgent for one in members), len(members))
            table.append(
                {"from": place / BINS, "tickets": len(members), "score": round(mean, _PLACES), "urgent": shares}
            )
    return table


def _by(outcomes: Sequence[Outcome], name: str) -> dict[str, Any]:
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        value = _length(one.case.text) if name == "length" else one.case.about.get(name)
        if value:
            groups.setdefault(value, []).append(one)
    largest = dict(sorted(groups.items(), key=lambda group: -len(group[1]))[:_MOST_GROUPS])
    return {
        value: {"tickets": len(members), "missed": _missed(members), "false_alarms": _false_alarms(members)}
        | _compared(members)
        for value, members in sorted(largest.items())
    }


def _missed(members: Sequence[Outcome]) -> int:
    return sum(one.case.urgent and not one.said for one in members)


def _false_alarms(members: Sequence[Outcome]) -> int:
    return sum(one.said and not one.case.urgent for one in members)


def _length(text: str) -> str:
    return next((name for limit, name in _LENGTHS if len(text) <= limit), "over 4,000")
