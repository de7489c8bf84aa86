"""The Kubernetes API over HTTP, as far as kubectl, the client libraries and kopf use it."""
