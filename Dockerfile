# The portal as it runs on a server: web, worker and beat are the same image with three commands.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements.txt requirements-demo.txt /
RUN /venv/bin/pip install --require-hashes -r /requirements.txt

# What the sandbox needs besides (its mail catcher) is in another stage, so that production does not carry it.
FROM build AS build-sandbox
RUN /venv/bin/pip install --require-hashes -r /requirements-demo.txt

FROM python:3.13-slim AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR=/var/lib/portal STATIC_ROOT=/app/staticfiles
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal -m 0700 /var/lib/portal
WORKDIR /app

FROM base AS sandbox
COPY --from=build-sandbox /venv /venv
COPY aruba_sandbox aruba_sandbox
USER portal
EXPOSE 8001 8026
CMD ["python", "-m", "aruba_sandbox"]

FROM base AS portal
COPY --from=build /venv /venv
COPY manage.py ./
COPY albo_pec albo_pec
COPY audit audit
COPY members members
COPY pec_requests pec_requests
COPY templates templates
COPY locale locale
COPY static static
# Static files need no server; this key signs nothing that outlives the build.
RUN SECRET_KEY=only-for-collectstatic python manage.py collectstatic --noinput
USER portal
EXPOSE 8000
CMD ["gunicorn", "albo_pec.wsgi", "--bind", "0.0.0.0:8000", "--workers", "3", "--threads", "8", "--no-control-socket", \
     "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-", "--logger-class", "albo_pec.gunicorn_log.MaskingLogger"]
