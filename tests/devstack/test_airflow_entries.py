"""Where the connections send Airflow's hooks."""

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from devstack.airflow_entries import as_variables
from devstack.config import Settings


@pytest.mark.parametrize("name", ["s3", "kinesis"])
def test_each_service_of_aws_is_where_the_stack_has_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = Settings(port_offset=3)
    for variable, value in as_variables(settings).items():
        monkeypatch.setenv(variable, value)
    client = AwsBaseHook(aws_conn_id="pinterest_aws", client_type=name).conn
    where = {"s3": "http://127.0.0.1:29903", "kinesis": "http://127.0.0.1:29570"}
    assert client.meta.endpoint_url == where[name]
    assert client.meta.region_name == settings.region
