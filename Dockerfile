# The deciding half: rank, explain, compare, coverage, dashboard, backtest. It cannot collect or train.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY . .
RUN sed -n '/^uv==/,/[^\\]$/p' constraints.txt > uv.txt && pip install --no-cache-dir --require-hashes --requirement uv.txt
ARG PACKAGES="duckdb jinja2 numpy packageurl-python packaging pandas platformdirs pydantic PyYAML rich typer"
RUN printf '%s\n' $PACKAGES > packages.txt && \
    uv pip install --no-cache --target /advisor --constraint constraints.txt --verify-hashes --requirement packages.txt && \
    uv pip install --no-cache --target /advisor --no-deps --build-constraint constraints.txt . && \
    rm -rf /advisor/numpy/tests /advisor/numpy/*/tests /advisor/pandas/tests /advisor/bin

FROM gcr.io/distroless/python3-debian13:nonroot
COPY --from=build /advisor /advisor
ENV PYTHONPATH=/advisor
WORKDIR /work
ENTRYPOINT ["/usr/bin/python3", "-m", "advisor"]
CMD ["rank"]
