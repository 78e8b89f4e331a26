"""For auditors and ops: asking that the log is verified, how far that is, and what came of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tickets import pipeline
from tickets.audit.archive import archived_through
from tickets.audit.verifying import Range
from tickets.models import Job, JobKind, JobState, LogHead, Role
from tickets.web.authentication import role_required
from tickets.web.requests import PersonRequest, actor
from tickets.web.verifications import progress_of, verifications

_INT64 = 2**63 - 1


class RangeForm(forms.Form):
    """Which entries. end: where the log ends now; archived: through which it is in the archive."""

    first = forms.IntegerField(required=False, min_value=1, max_value=_INT64, label="From entry")
    last = forms.IntegerField(required=False, min_value=1, max_value=_INT64, label="To entry")
    copy = forms.BooleanField(required=False, label="Compare the Elasticsearch copy")

    def __init__(self, data: Any, end: int, archived: int) -> None:
        super().__init__(data)
        self.end, self.archived = end, archived
        self.fields["last"].help_text = f"The log ends at entry {end:,} now."
        if not settings.ELASTICSEARCH_READER_URL:
            del self.fields["copy"]

    def clean_first(self) -> int:
        return self._within(self.cleaned_data["first"]) or 1

    def clean_last(self) -> int | None:
        last = self._within(self.cleaned_data["last"])
        if last is not None and last < self.cleaned_data.get("first", 1):
            raise ValidationError("Write a number that is not below the first.")
        return last

    def _within(self, seq: int | None) -> int | None:
        if seq is not None and seq > self.end:
            raise ValidationError(f"The log ends at entry {self.end}.")
        if seq is not None and seq <= self.archived:
            raise ValidationError(f"Entries 1 to {self.archived} are in the archive: manage.py verify_log --archive")
        return seq

    @property
    def range(self) -> Range:
        return Range(**self.cleaned_data)


@role_required(Role.AUDITOR, Role.OPS)
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: PersonRequest) -> HttpResponse:
    given = request.POST if request.method == "POST" else None
    form = RangeForm(given, LogHead.objects.get(pk=1).seq, archived_through())
    if not form.is_valid():
        return _page(request, form, status=400 if form.is_bound else 200)
    try:
        _, is_new = pipeline.ask_for_verification(form.range, actor(request))
    except pipeline.TooManyJobs as error:
        form.add_error(None, str(error))
        return _page(request, form, status=409)
    if not is_new:
        messages.info(request, "That is being verified already: see below.")
    return redirect("verify")


@role_required(Role.AUDITOR, Role.OPS)
@require_safe
def progress(request: PersonRequest, pk: int) -> HttpResponse:
    """How far one is, asked for each second; once it has ended, all that is beside it, and a word for who listens."""
    if not request.headers.get("HX-Request"):
        return redirect("verify")
    job = Job.objects.filter(pk=pk, kind=JobKind.VERIFY, state=JobState.OPEN).first()
    if job:
        return render(request, "audit/_progress.html", {"line": progress_of(job)})
    answer = render(request, "audit/_verifying.html", verifications(request.user) | {"is_news": True})
    answer["HX-Retarget"], answer["HX-Reswap"] = "#verifying", "outerHTML"
    return answer


@role_required(Role.AUDITOR, Role.OPS)
@require_POST
def cancel(request: PersonRequest, pk: int) -> HttpResponse:
    """Of who asked, and of auditors. A failed one is taken off the page in the same way."""
    job = Job.objects.filter(pk=pk, kind=JobKind.VERIFY).first()
    if job and not (job.actor == actor(request).name or request.user.has_role(Role.AUDITOR)):
        raise PermissionDenied("Only who asked for it, or an auditor, may cancel this.")
    if not (job and pipeline.cancel_job(job)):
        messages.info(request, "It had ended already.")
    return redirect("verify")


def _page(request: PersonRequest, form: RangeForm, status: int) -> HttpResponse:
    return render(request, "audit/verify.html", verifications(request.user) | {"form": form}, status=status)
