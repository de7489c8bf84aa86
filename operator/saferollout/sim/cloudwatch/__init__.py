"""CloudWatch alarms: their states, and the endpoint that an unmodified boto3 asks for them."""
