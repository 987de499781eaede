"""Names of the platform's resources, as its AWS account has them."""

from __future__ import annotations

STAGE = "development"
REGION = "us-east-1"
CLUSTER = f"hokusai-{STAGE}"
NAMESPACE = "hokusai.local"
NAMESPACE_OF_THE_INFRASTRUCTURE_CODE = f"hokusai-{STAGE}.local"

API = f"hokusai-api-{STAGE}"
MLFLOW = f"hokusai-mlflow-{STAGE}"
AUTH = f"hokusai-auth-{STAGE}"
SERVICES = {"api": API, "mlflow": MLFLOW, "auth": AUTH}

DATABASE_INSTANCE = f"hokusai-mlflow-{STAGE}"
DATABASE = "mlflow_db"
DATABASE_USER = "mlflow"
APP_SECRETS = f"hokusai/app-secrets/{STAGE}"
AUTH_SECRETS = f"hokusai/auth-secrets/{STAGE}"
ACCESS_LOG_BUCKET = f"hokusai-access-logs-{STAGE}"
ARTIFACT_BUCKET = f"hokusai-mlflow-artifacts-{STAGE}"

REGISTRY_BALANCER = f"hokusai-registry-{STAGE}"
AUTH_BALANCER = f"hokusai-auth-{STAGE}"
MAIN_BALANCER = f"hokusai-main-{STAGE}"
INTERNAL_BALANCER = f"hokusai-internal-{STAGE}"

REGISTRY_API_TARGETS = f"hokusai-reg-api-{STAGE}"
REGISTRY_MLFLOW_TARGETS = f"hokusai-reg-mlflow-{STAGE}"
MAIN_API_TARGETS = f"hokusai-api-tg-{STAGE}"
MAIN_MLFLOW_TARGETS = f"hokusai-mlflow-tg-{STAGE}"
AUTH_TARGETS = f"hokusai-auth-tg-{STAGE}"
INTERNAL_AUTH_TARGETS = f"hokusai-int-auth-{STAGE}"

BALANCER_GROUP = f"hokusai-alb-{STAGE}"
TASK_GROUP = f"hokusai-ecs-tasks-{STAGE}"
DATABASE_GROUP = f"hokusai-rds-{STAGE}"

PUBLIC_ZONE = "hokus.ai"
# The public hosts and the load balancers that their CNAMEs lead to.
PUBLIC_HOSTS = {
    "registry.hokus.ai": REGISTRY_BALANCER,
    "auth.hokus.ai": AUTH_BALANCER,
    "api.hokus.ai": MAIN_BALANCER,
}
