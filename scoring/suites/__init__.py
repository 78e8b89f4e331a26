"""Texts that test a scorer and never teach one: styles, orders, false alarms, calm emergencies, paraphrases."""
