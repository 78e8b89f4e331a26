"""For customers: the form, and the reference number it gives."""

from __future__ import annotations

import hashlib
import uuid

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from tickets import pipeline
from tickets.flow.ingest import NewTicket
from tickets.models import Source
from tickets.models.ticket import BODY_MAX, SUBJECT_MAX
from tickets.web.fields import Email, Line, Text

_SALT = "reference number"


class TicketForm(forms.Form):
    """token: drawn when the form is shown, so that sending it twice makes one ticket. website: bait for robots."""

    email = Email(
        max_length=254,
        label="Your e-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    name = Line(
        max_length=200, required=False, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    subject = Line(max_length=SUBJECT_MAX, help_text="One line: what is it about?")
    message = Text(
        max_length=BODY_MAX,
        widget=forms.Textarea(attrs={"rows": 9}),
        help_text="What happened, since when, and what you need from us.",
    )
    website = forms.CharField(required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}))
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def clean_website(self) -> str:
        if self.cleaned_data["website"]:
            raise ValidationError("Leave this field empty: it is there to catch robots.")
        return ""

    def to_submission(self) -> NewTicket:
        """Call after is_valid. The same text sent twice is one ticket; a changed text is another and is not lost."""
        values = self.cleaned_data
        content = "\0".join([values["email"], values["name"], values["subject"], values["message"]])
        return NewTicket(
            subject=values["subject"],
            body=values["message"],
            email=values["email"],
            name=values["name"],
            source=Source.FORM.value,
            external_id=f"{values['token']}:{hashlib.sha256(content.encode()).hexdigest()}",
        )


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    form = TicketForm(request.POST or None)
    if not form.is_valid():
        return render(request, "customers/new.html", {"form": form}, status=400 if form.errors else 200)
    accepted = pipeline.submit([form.to_submission()])[0]
    reference = signing.dumps(accepted.ticket.pk, salt=_SALT)
    return redirect(f"{reverse('received')}?{urlencode({'reference': reference})}")


@require_safe
def received(request: HttpRequest) -> HttpResponse:
    """Only who sent the form holds the signed reference, so no number can be guessed."""
    try:
        number = signing.loads(request.GET.get("reference", ""), salt=_SALT)
    except signing.BadSignature as error:
        raise Http404("This is no reference of ours.") from error
    return render(request, "customers/received.html", {"number": f"T-{number}"})
