"""Telling others: notifications on people's devices, webhooks to other services."""
