"""Spec -> Plan: the types of a plan, and the planner that makes it."""
