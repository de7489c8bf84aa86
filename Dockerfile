FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
RUN pip install --no-cache-dir --constraint requirements-dev.lock hatchling
RUN python -m venv /opt/saferollout \
    && /opt/saferollout/bin/pip install --no-cache-dir --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY operator operator
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/saferollout/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
COPY --from=build /opt/saferollout /opt/saferollout
# The root file system is read-only in the cluster, so nothing may want to write bytecode.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/saferollout/bin/saferollout"]
CMD ["run"]
