"""Addresses of the pages."""

from django.conf import settings
from django.contrib.auth.views import LogoutView
from django.urls import path, re_path
from django.views.generic import RedirectView

from tickets.api.checkpoints import CheckpointsView, ProofView
from tickets.web import agents, analysis, auditors, customers, models, ops, people, replaying, timelines, verifying

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
    path("ops/models/", models.models, name="models"),
    path("ops/models/<int:pk>/", models.model, name="model"),
    path("audit/", auditors.decisions, name="audit"),
    path("audit/saved/", auditors.save_search, name="save_search"),
    path("audit/saved/<int:pk>/delete/", auditors.delete_search, name="delete_search"),
    path("audit/analysis/", analysis.analysis, name="analysis"),
    path("audit/changes/", auditors.changes, name="changes"),
    path("audit/verify/", verifying.verify, name="verify"),
    path("audit/verify/<int:pk>/", verifying.progress, name="verifying"),
    path("audit/verify/<int:pk>/cancel/", verifying.cancel, name="cancel_verifying"),
    path("audit/checkpoints.json", CheckpointsView.as_view(), name="checkpoints"),
    path("audit/decisions/<int:seq>/proof.json", ProofView.as_view(), name="proof"),
    path("audit/decisions/<int:seq>/", auditors.decision, name="decision"),
    path("audit/decisions/<int:seq>/replay/", replaying.replay, name="replay"),
    path("audit/decisions/<int:seq>/replays/", replaying.replays, name="replays"),
    path("audit/tickets/<int:pk>/", timelines.ticket, name="ticket_timeline"),
    path("audit/policies/", timelines.policies, name="policy_series"),
    path("audit/policies/difference/", timelines.difference, name="policy_difference"),
    path("audit/people/", timelines.people, name="audit_people"),
    re_path("^audit/people/(?P<actor>(?:user|key):[0-9]{1,18})/$", timelines.person, name="acts"),
    path("login/", people.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    # Browsers ask for it on pages that name no icon, such as the admin.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path("account/", people.account, name="account"),
]
