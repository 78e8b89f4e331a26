"""Addresses of the pages."""

from django.conf import settings
from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from tickets.api.checkpoints import CheckpointsView, ProofView
from tickets.web import agents, auditors, customers, ops, people

urlpatterns = [
    path("", agents.queues, name="queues"),
    path("queues/lists/", agents.lists, name="lists"),
    path("tickets/<int:pk>/", agents.ticket, name="ticket"),
    path("tickets/<int:pk>/override/", agents.override, name="override"),
    path("tickets/<int:pk>/confirm/", agents.confirm, name="confirm"),
    path("tickets/<int:pk>/undo/", agents.undo, name="undo"),
    path("tickets/<int:pk>/explain/", agents.explain_sentences, name="explain"),
    path("tickets/<int:pk>/sentences/", agents.sentences, name="sentences"),
    path("new/", customers.new, name="new"),
    path("new/received/", customers.received, name="received"),
    path("ops/", ops.today, name="today"),
    path("ops/policies/", ops.policies, name="policies"),
    path("ops/policies/<int:number>/", ops.policy, name="policy"),
    path("ops/policies/<int:number>/activate/", ops.activate, name="activate"),
    path("audit/", auditors.decisions, name="audit"),
    path("audit/changes/", auditors.changes, name="changes"),
    path("audit/checkpoints.json", CheckpointsView.as_view(), name="checkpoints"),
    path("audit/decisions/<int:seq>/proof.json", ProofView.as_view(), name="proof"),
    path("audit/decisions/<int:seq>/", auditors.decision, name="decision"),
    path("login/", people.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    # Browsers ask for it on pages that name no icon, such as the admin.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path("account/", people.account, name="account"),
]
