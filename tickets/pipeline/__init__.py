"""What the product does with tickets, each verb reading like the picture in docs/architecture.md.

The only place that opens a writing transaction for tickets and the log. Locks are taken in one order everywhere:
tickets by id, what waits, the active policy, and last the head of the log.
"""

from tickets.pipeline.acting import Actor
from tickets.pipeline.archiving import record_archive, remove_archived, resume_archive, unfinished, write_archive
from tickets.pipeline.evaluating import record_evaluation
from tickets.pipeline.explaining import ask_for_explanation, explain_one
from tickets.pipeline.holding import HoldRefused, hold, release
from tickets.pipeline.incoming import add_message, submit, submit_once
from tickets.pipeline.jobs import TooManyJobs, ask_for_verification, cancel_job, run_job, startable_jobs
from tickets.pipeline.keys import RevokedBefore, revoke_key
from tickets.pipeline.log import erase, export_log, fork_log, note, sign_if_due, sign_log
from tickets.pipeline.moving import move_database
from tickets.pipeline.policies import activate_policy, calibrate, draft_policy
from tickets.pipeline.replaying import ask_for_replay, replay_one
from tickets.pipeline.reviewing import confirm, override, undo
from tickets.pipeline.scoring import claim, fall_back, give_up, hand_back, put_back, score_waiting, settle_claim
from tickets.pipeline.training import register_trained

__all__ = [
    "Actor",
    "HoldRefused",
    "RevokedBefore",
    "TooManyJobs",
    "activate_policy",
    "add_message",
    "ask_for_explanation",
    "ask_for_replay",
    "ask_for_verification",
    "calibrate",
    "cancel_job",
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
    "hold",
    "move_database",
    "note",
    "override",
    "put_back",
    "record_archive",
    "record_evaluation",
    "register_trained",
    "release",
    "remove_archived",
    "replay_one",
    "resume_archive",
    "revoke_key",
    "run_job",
    "score_waiting",
    "settle_claim",
    "sign_if_due",
    "sign_log",
    "startable_jobs",
    "submit",
    "submit_once",
    "undo",
    "unfinished",
    "write_archive",
]
