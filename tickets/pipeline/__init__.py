"""What the product does with tickets, each verb reading like the picture in docs/architecture.md.

The only place that opens a writing transaction for tickets and the log. Locks are taken in one order everywhere:
tickets by id, what waits, the active policy, and last the head of the log.
"""

from tickets.pipeline.acting import Actor
from tickets.pipeline.explaining import ask_for_explanation, explain_one
from tickets.pipeline.incoming import add_message, submit, submit_once
from tickets.pipeline.log import erase, export_log, fork_log, note, sign_if_due, sign_log
from tickets.pipeline.policies import activate_policy, calibrate, draft_policy
from tickets.pipeline.reviewing import confirm, override, undo
from tickets.pipeline.scoring import claim, fall_back, give_up, hand_back, put_back, score_waiting, settle_claim

__all__ = [
    "Actor",
    "activate_policy",
    "add_message",
    "ask_for_explanation",
    "calibrate",
    "claim",
    "confirm",
    "draft_policy",
    "erase",
    "explain_one",
    "export_log",
    "fall_back",
    "fork_log",
    "give_up",
    "hand_back",
    "note",
    "override",
    "put_back",
    "score_waiting",
    "settle_claim",
    "sign_if_due",
    "sign_log",
    "submit",
    "submit_once",
    "undo",
]
