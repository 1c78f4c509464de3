"""What our two Databricks operators share: our hook, and the settings' names in templates."""

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from pinflow.hooks.databricks import PinterestDatabricksHook
from pinflow.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class OnDatabricks(BaseOperator):
    """Comes before an operator of the Databricks provider among the bases."""

    databricks_conn_id: str
    databricks_retry_limit: int
    databricks_retry_delay: int

    def _get_hook(self, caller: str) -> PinterestDatabricksHook:
        return PinterestDatabricksHook(
            self.databricks_conn_id,
            retry_limit=self.databricks_retry_limit,
            retry_delay=self.databricks_retry_delay,
            caller=caller,
        )

    def render_template_fields(self, context: "Context", jinja_env: Any = None) -> None:
        """Render with the settings' names beside Airflow's context."""
        super().render_template_fields({**context, **load_settings().names()}, jinja_env)
