"""For everybody who logs in: the way in, and their own settings."""

from __future__ import annotations

import zoneinfo

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from tickets.models import User
from tickets.web.requests import PersonRequest


class LogIn(LoginView):
    template_name = "people/login.html"
    redirect_authenticated_user = True
    extra_context = {"demo_people": ["agent", "ops", "auditor"]}


class AccountForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["time_zone"]
        widgets = {"time_zone": forms.Select}
        help_texts = {"time_zone": "Times on every page are shown in this zone."}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        names = sorted(zoneinfo.available_timezones())
        self.fields["time_zone"].widget.choices = [(name, name.replace("_", " ")) for name in names]  # type: ignore[attr-defined]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: PersonRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, instance=request.user)
    if form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("account")
    return render(request, "people/account.html", {"form": form}, status=400 if form.errors else 200)
