"""A plain page: the middleware of a new Django project, session, user, three queries, a base template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from members.models import Enrolment, Member
from pec_requests.models import PecRequest

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
PLAIN = {
    "MIDDLEWARE": MIDDLEWARE,
    "TEMPLATES": TEMPLATES,
    "ROOT_URLCONF": "bench.plain",
    "AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"],
}


@login_required
def plain(request: HttpRequest) -> HttpResponse:
    member = Member.objects.get(user_id=request.user.pk)
    context = {
        "member": member,
        "enrolments": Enrolment.objects.filter(member=member).select_related("albo"),
        "requests": PecRequest.objects.filter(member=member),
    }
    return render(request, "plain.html", context)


# The portal's addresses as well: the base template links them.
urlpatterns = [path("semplice/", plain), path("", include("albo_pec.urls"))]
