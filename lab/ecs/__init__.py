"""Elastic Container Service: services and tasks that moto only records, here brought to life."""
