"""The SafeRollout resource: its models, its reasons and its CustomResourceDefinition."""
