"""The two queues as an agent sees them: soonest due first, page by page; rows cost no further queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Substr
from django.utils import timezone

from tickets.models import Author, Decision, LogHead, Message, Queue, Ticket
from tickets.models.clock import microseconds, moment
from tickets.models.entry import AUTOMATIC

PAGE = 50
_SNIPPET = 240
_SEARCH_MAX = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address asks for. show: the queue a narrow screen shows; after: where the page of a queue begins."""

    q: str
    check_only: bool
    show: Queue
    after: Mapping[Queue, str]

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wish:
        """Raises BadRequest."""
        show = query.get("show", Queue.URGENT)
        if show not in Queue.values:
            raise BadRequest(f"show is {show[:50]!r}; it is urgent or standard.")
        after = {queue: query[queue] for queue in Queue if query.get(queue)}
        return cls(query.get("q", "").replace("\0", "")[:_SEARCH_MAX].strip(), "check" in query, Queue(show), after)

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.check_only)

    def address(self, show: Queue | None = None, **after: str) -> str:
        """The query string of the same wish with another queue in front or another page of one."""
        pages = {str(queue): cursor for queue, cursor in self.after.items()} | after
        values = {"q": self.q, "check": "1" if self.check_only else "", "show": str(show or self.show)} | pages
        return "?" + urlencode({name: value for name, value in values.items() if value})


@dataclass(frozen=True, slots=True)
class Row:
    """scored: the latest automatic decision, whose score the row shows."""

    ticket: Ticket
    preview: str
    scored: Decision | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    queue: Queue
    rows: Sequence[Row]
    count: int
    overdue: int
    is_shown: bool
    here: str
    first: str
    following: str


@dataclass(frozen=True, slots=True)
class Board:
    wish: Wish
    pages: Sequence[QueuePage]
    waiting: int
    version: str

    @property
    def here(self) -> str:
        """The query string under which the lists ask whether anything changed."""
        return f"{self.wish.address()}&{urlencode({'version': self.version})}"


def board(wish: Wish) -> Board:
    return Board(wish, [_page(wish, queue) for queue in Queue], _waiting(), version())


def version() -> str:
    """Another text whenever the lists may read differently: a log entry, a ticket that waits, a minute gone by."""
    head = LogHead.objects.values_list("seq", flat=True).get(pk=1)
    return f"{head}-{_waiting()}-{timezone.now():%H%M}"


def _waiting() -> int:
    return Ticket.objects.filter(queue="").count()


def _page(wish: Wish, queue: Queue) -> QueuePage:
    tickets = _matching(wish).filter(queue=queue)
    rest = _after(tickets, wish.after[queue]) if queue in wish.after else tickets
    shown = list(_with_first_lines(rest)[: PAGE + 1])
    more = len(shown) > PAGE
    return QueuePage(
        queue=queue,
        rows=_rows(shown[:PAGE]),
        count=tickets.count(),
        overdue=tickets.filter(respond_by__lt=timezone.now()).count(),
        is_shown=wish.show == queue,
        here=wish.address(show=queue),
        first=wish.address(show=queue, **{queue: ""}) if queue in wish.after else "",
        following=wish.address(show=queue, **{queue: _cursor(shown[PAGE - 1])}) if more else "",
    )


def _matching(wish: Wish) -> QuerySet[Ticket]:
    tickets = Ticket.objects.all()
    if wish.check_only:
        tickets = tickets.filter(needs_check=True)
    if wish.q:
        tickets = tickets.filter(_mentions(wish.q))
    return tickets


def _mentions(words: str) -> Q:
    condition = Q(subject__icontains=words) | Q(requester__email__icontains=words) | Q(requester__name__icontains=words)
    number = words.upper().removeprefix("T-").removeprefix("#")
    return condition | Q(pk=int(number)) if number.isascii() and number.isdigit() else condition


def _after(tickets: QuerySet[Ticket], cursor: str) -> QuerySet[Ticket]:
    due, ticket_id = _position(cursor)
    return tickets.filter(respond_by__gte=due).exclude(respond_by=due, pk__lte=ticket_id)


def _position(cursor: str) -> tuple[datetime, int]:
    try:
        due, ticket_id = map(int, cursor.split("-"))
        return moment(due), ticket_id
    except (ValueError, OverflowError) as error:
        raise BadRequest("This link to a page of the queue is broken; go back to the queues.") from error


def _cursor(ticket: Ticket) -> str:
    return f"{microseconds(ticket.respond_by)}-{ticket.pk}" if ticket.respond_by else ""


def _with_first_lines(tickets: QuerySet[Ticket]) -> QuerySet[Ticket]:
    latest = Message.objects.filter(ticket=OuterRef("pk"), author=Author.REQUESTER).order_by("-pk")
    beginning = Subquery(latest.annotate(beginning=Substr("body", 1, _SNIPPET)).values("beginning")[:1])
    return tickets.select_related("requester", "decision").annotate(beginning=beginning).order_by("respond_by", "pk")


def _rows(tickets: Sequence[Ticket]) -> list[Row]:
    scored = _latest_scores([ticket.pk for ticket in tickets])
    return [Row(ticket, _on_one_line(getattr(ticket, "beginning", "")), scored.get(ticket.pk)) for ticket in tickets]


def _latest_scores(ticket_ids: Sequence[int]) -> dict[int, Decision]:
    decisions = (
        Decision.objects.with_calibration().filter(ticket_id__in=ticket_ids, kind__in=AUTOMATIC).order_by("entry")
    )
    return {decision.ticket_id: decision for decision in decisions}


def _on_one_line(text: str | None) -> str:
    """A greeting alone on the first line says nothing, so the lines follow each other."""
    return " ".join((text or "").split())
