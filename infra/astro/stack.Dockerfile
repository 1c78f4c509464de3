# The official image is there for x86-64 and arm64; its server is the stack's source database.
FROM mariadb:11.4
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates make python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /pinflow
COPY . .
ENV DEVSTACK_SOURCE_DB_BINARY=/usr/sbin/mariadbd DEVSTACK_KAFKA_ADVERTISED_HOST=pinflow-stack
RUN make setup
VOLUME /pinflow/.devstack
ENTRYPOINT ["/pinflow/.venv/airflow/bin/python", "-m", "infra.astro.stack", "run"]
