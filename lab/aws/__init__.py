"""The AWS control plane: moto, and in front of it what moto does not do as AWS does."""
