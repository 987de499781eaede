"""Why a command could not be run in a task: one class a reason, each with what would mend it."""

from __future__ import annotations


class EcsExecError(Exception):
    """A command was not run, or its answer did not arrive whole. ``remedy`` says what to do."""

    remedy: str = "run it again; if it fails again, look at the task's events"

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.message = message
        if remedy is not None:
            self.remedy = remedy
        super().__init__(f"{message} ({self.remedy})")


class ServiceNotFoundError(EcsExecError):
    """The cluster or the service does not exist."""

    remedy = "check the names of the cluster, of the service, and the region"


class NoRunningTaskError(EcsExecError):
    """The service has no running task, or the given task does not run."""

    remedy = "see why: aws ecs describe-services … --query 'services[0].events[:5]'"


class ExecDisabledError(EcsExecError):
    """The task was started without ECS Exec."""

    remedy = (
        "start its tasks anew with it: aws ecs update-service … --enable-execute-command "
        "--force-new-deployment"
    )


class WrongContainerError(EcsExecError):
    """The task has no container of this name."""

    remedy = "use the name of one of the task's containers"


class AgentNotConnectedError(EcsExecError):
    """The agent in the task has no connection to Session Manager."""

    remedy = (
        "allow ssmmessages:CreateControlChannel, ssmmessages:CreateDataChannel, "
        "ssmmessages:OpenControlChannel and ssmmessages:OpenDataChannel to the task role, "
        "let the task reach ssmmessages.<region>.amazonaws.com:443, and have no "
        "readonlyRootFilesystem; then start the task anew"
    )


class NotPermittedError(EcsExecError):
    """This identity lacks a permission; ``action`` is the IAM action."""

    def __init__(self, message: str, action: str) -> None:
        self.action = action
        super().__init__(message, f"allow {action} to this identity")


class CredentialsError(EcsExecError):
    """There are no AWS credentials, or they are expired or wrong."""

    remedy = "give them as for the aws CLI (AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret)"


class ClockSkewError(EcsExecError):
    """AWS refuses the request's signature because this machine's clock is wrong."""

    remedy = "set this machine's clock (timedatectl set-ntp true), then run it again"


class EncryptionUnsupportedError(EcsExecError):
    """The session is to be encrypted with a KMS key, which this client does not do."""

    remedy = (
        "use session-manager-plugin for this cluster (see README.md), or take kmsKeyId out of its "
        "executeCommandConfiguration"
    )


class NoShellError(EcsExecError):
    """The image has no shell, or lacks what the shell needs here."""

    remedy = "only an image with sh and base64 can be entered; use one, or look from elsewhere"


class AwsError(EcsExecError):
    """AWS refused in another way; the message has its own words."""

    remedy = "see the message; it is AWS's own"


class UnreachableError(EcsExecError):
    """The AWS endpoint or the session's address cannot be reached, or its certificate is wrong."""

    remedy = "check network, proxy and region: ecs.<region> and ssmmessages.<region> on port 443"


class ConnectionLostError(EcsExecError):
    """The session ended before the answer was whole."""


class CorruptAnswerError(EcsExecError):
    """What arrived is not a whole answer: nothing of it is handed out."""


class OutputTooLargeError(EcsExecError):
    """The command printed more than is accepted."""

    remedy = "print less (head, tail, grep), or give a greater limit"


class DeadlineError(EcsExecError):
    """The command had not ended at its deadline; it was ended."""

    remedy = "give it more time, or see what it waits for"
