"""One file a noun."""

from tickets.models.archive import Archive, LegalHold
from tickets.models.calibration import Calibration
from tickets.models.checkpoint import Checkpoint, SigningKey, Tile
from tickets.models.decision import Decision
from tickets.models.entry import Entry, Kind, LogHead, Reason, Tally
from tickets.models.evaluation import Evaluation
from tickets.models.input import Input
from tickets.models.job import Job, JobKind, JobState
from tickets.models.key import ApiKey, IdempotencyKey, Scope
from tickets.models.label import Label, Origin
from tickets.models.people import Requester, Role, User
from tickets.models.policy import ActivePolicy, Policy, PolicyEvent, PolicyState, RegisteredModel
from tickets.models.process import Process, ProcessKind
from tickets.models.queue import Queue
from tickets.models.saved_search import SavedSearch
from tickets.models.shipping import Shipping, ShippingFailure
from tickets.models.ticket import Author, DecidedBy, Message, Source, Ticket
from tickets.models.waiting import Cause, Lane, Waiting

__all__ = [
    "ActivePolicy",
    "ApiKey",
    "Archive",
    "Author",
    "Calibration",
    "Cause",
    "Checkpoint",
    "DecidedBy",
    "Decision",
    "Entry",
    "Evaluation",
    "IdempotencyKey",
    "Input",
    "Job",
    "JobKind",
    "JobState",
    "Kind",
    "Label",
    "Lane",
    "LegalHold",
    "LogHead",
    "Message",
    "Origin",
    "Policy",
    "PolicyEvent",
    "PolicyState",
    "Process",
    "ProcessKind",
    "Queue",
    "Reason",
    "RegisteredModel",
    "Requester",
    "Role",
    "SavedSearch",
    "Scope",
    "Shipping",
    "ShippingFailure",
    "SigningKey",
    "Source",
    "Tally",
    "Ticket",
    "Tile",
    "User",
    "Waiting",
]
