"""The one long-lived Spark Connect server: Delta on the local lake, a durable Hive metastore in Derby."""

from pathlib import Path

from devstack import classes
from devstack.config import Settings
from devstack.service import Service, port_open

# what Spark's own launcher would open, less the incubator module that the packaged Java runtime lacks
OPENED = (
    *(f"java.base/{name}" for name in (
        "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
        "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
        "sun.security.action", "sun.util.calendar",
    )),
    "java.security.jgss/sun.security.krb5",
)  # fmt: skip

# small writes are bound by compiling, not by running: the quick compiler alone and the plain collector
# halve the time to a warm server and save half a gigabyte
# one compiler tier halves the code cache to 48 MiB; when that is full Spark is interpreted, then dies
QUICK = "-XX:TieredStopAtLevel=1"
JVM = (
    "-XX:ReservedCodeCacheSize=512m",
    "-XX:+UseSerialGC",
    "-Xss4m",
    "-XX:MetaspaceSize=256m",
    "-XX:+ExitOnOutOfMemoryError",
)

# a window is small and each of its plans new: compiling them costs more than it saves
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}

# loggers that only repeat what the client is told, or what is meant to be so
QUIET = (
    "org.apache.hadoop.hive",
    "DataNucleus",
    "org.apache.hadoop.util.NativeCodeLoader",
    "org.apache.spark.sql.hive.HiveExternalCatalog",
    "org.apache.spark.sql.execution.streaming.checkpointing.CheckpointFileManager",
    "org.apache.spark.sql.connect.execution.ExecuteGrpcResponseSender",
)
SILENT = ("org.apache.spark.sql.connect.utils.ErrorUtils",)
LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
"""


def _s3a(settings: Settings) -> dict[str, str]:
    return {
        "fs.s3a.endpoint": settings.s3_endpoint,
        "fs.s3a.endpoint.region": settings.region,
        "fs.s3a.access.key": settings.s3_access_key,
        "fs.s3a.secret.key": settings.s3_secret_key,
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    }


def _metastore(folder: Path) -> dict[str, str]:
    return {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
        "datanucleus.schema.autoCreateAll": "true",
        "hive.metastore.schema.verification": "false",
        "hive.metastore.disallow.incompatible.col.type.changes": "false",
    }


def configuration(settings: Settings) -> dict[str, str]:
    """Return the server's Spark settings."""
    folder = settings.service_dir("spark")
    hadoop = {**_s3a(settings), **_metastore(folder)}
    return {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(settings.spark_port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.sources.default": "delta",
        "spark.sql.legacy.createHiveTableByDefault": "false",
        "spark.sql.warehouse.dir": f"s3://{settings.bucket}/lake/default",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        **({} if settings.spark_large else INTERPRETED),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.databricks.delta.snapshotPartitions": "1",
        # windows of a day are small: a table whose property asks for compaction never has many files
        "spark.databricks.delta.autoCompact.minNumFiles": "6",
        **{f"spark.hadoop.{name}": value for name, value in hadoop.items()},
    }


def command(settings: Settings) -> list[str]:
    """Return the command line of the server; Spark's own scripts ask for a Java module that is not there."""
    folder = settings.service_dir("spark")
    return [
        str(settings.java),
        f"-Xmx{settings.spark_memory}",
        *(() if settings.spark_large else (QUICK,)),
        *JVM,
        *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENED),
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Duser.timezone=UTC",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        f"-Dderby.system.home={folder}",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        *classes.options(settings),
        "org.apache.spark.deploy.SparkSubmit",
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
        "--master",
        "local[2]",
        *(part for item in configuration(settings).items() for part in ("--conf", "=".join(item))),
        "spark-internal",
    ]


def _logging() -> str:
    levels = {**dict.fromkeys(QUIET, "error"), **dict.fromkeys(SILENT, "off")}
    lines = [
        f"logger.l{number}.name = {name}\nlogger.l{number}.level = {level}\n"
        for number, (name, level) in enumerate(levels.items())
    ]
    return LOG4J + "".join(lines)


def prepare(settings: Settings) -> None:
    """Write the log settings and drop what a killed server left locked."""
    classes.ensure(settings)
    folder = settings.service_dir("spark")
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "log4j2.properties").write_text(_logging())
    for lock in ("db.lck", "dbex.lck"):
        (folder / "metastore" / lock).unlink(missing_ok=True)


def service(settings: Settings) -> Service:
    """Describe the server to the supervisor."""
    return Service(
        name="spark",
        command=command(settings),
        env={
            "PYSPARK_PYTHON": str(settings.spark_python),
            # for its Python workers, which read the streams
            "AWS_ACCESS_KEY_ID": settings.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key,
            "AWS_DEFAULT_REGION": settings.region,
            "AWS_ENDPOINT_URL_KINESIS": settings.kinesis_endpoint,
            "SPARK_LOCAL_DIRS": str(settings.service_dir("spark") / "tmp"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TZ": "UTC",
        },
        needs=("s3",),
        ports={"spark_port": settings.spark_port},
        prepare=lambda: prepare(settings),
        ready=lambda: port_open(settings.spark_port),
        stop_seconds=60,  # the first one to end writes the archive of its classes
    )
