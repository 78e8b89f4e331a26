"""Addresses under /api/v1/."""

from csp.decorators import csp_update
from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from tickets.api import decisions, policies, tickets
from tickets.api.errors import not_found

# The documentation page's own script draws with inline styles and data: images.
_docs = csp_update({"style-src": ["'self'", "'unsafe-inline'"], "img-src": ["'self'", "data:"]})(
    SpectacularSwaggerSplitView.as_view(url_name="schema")
)

urlpatterns = [
    path("tickets/", tickets.TicketsView.as_view()),
    path("tickets/bulk/", tickets.BulkView.as_view()),
    path("tickets/<int:pk>/", tickets.TicketView.as_view()),
    path("tickets/<int:pk>/messages/", tickets.MessagesView.as_view()),
    path("tickets/<int:pk>/override/", tickets.OverrideView.as_view()),
    path("tickets/<int:pk>/confirm/", tickets.ConfirmView.as_view()),
    path("tickets/<int:pk>/explain/", tickets.ExplainView.as_view()),
    path("tickets/<int:pk>/undo/", tickets.UndoView.as_view()),
    path("decisions/", decisions.DecisionsView.as_view()),
    path("decisions/export/", decisions.ExportView.as_view()),
    path("policies/", policies.PoliciesView.as_view()),
    path("policies/<int:number>/", policies.PolicyView.as_view()),
    path("policies/<int:number>/activate/", policies.ActivateView.as_view()),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", _docs, name="docs"),
    re_path("", not_found),
]
