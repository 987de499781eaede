"""What whoever tests the lab may do at its control plane, by the policies of one IAM user.

A call with the credentials that the lab hands out is made as the user `hokusai-acceptance`. It may
do everything, until somebody changes the user's policies: then AWS's refusals follow.
"""

from __future__ import annotations

from lab.aws.answer import Answer, AwsError
from lab.aws.backends import Backends
from lab.aws.call import Call

USER = "hokusai-acceptance"
# Nobody can be denied to ask who they are.
_ALWAYS = {("sts", "GetCallerIdentity")}
_CODES = {"ec2": "UnauthorizedOperation", "query": "AccessDenied"}


class Permissions:
    """A gate for `lab.aws.hooks`."""

    def __init__(self, backends: Backends, access_key: str) -> None:
        """`access_key` is the one that the lab hands out; other callers are the lab itself."""
        self._backends, self._access_key = backends, access_key

    def gate(self, call: Call) -> Answer | None:
        """Let a call pass. Raises AwsError as AWS refuses it."""
        handed_out = call.access_key == self._access_key
        # The operation of a REST call (S3) is not known here.
        if not handed_out or call.protocol == "rest" or (call.service, call.operation) in _ALWAYS:
            return None
        action = f"{call.service}:{call.operation}"
        if not self._permitted(action):
            raise AwsError(
                _CODES.get(call.protocol, "AccessDeniedException"), self._text(action), 403
            )
        return None

    def _permitted(self, action: str) -> bool:
        from moto.iam.access_control import IAMPolicy, PermissionResult

        with self._backends.lock:
            user = self._backends.iam.users.get(USER)
            documents = list(user.policies.values()) if user else []
        results = [IAMPolicy(each).is_action_permitted(action, "*") for each in documents]
        return PermissionResult.DENIED not in results and PermissionResult.PERMITTED in results

    def _text(self, action: str) -> str:
        who = f"arn:aws:iam::{self._backends.account}:user/{USER}"
        return f"User: {who} is not authorized to perform: {action}"
