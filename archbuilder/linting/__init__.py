"""Recipes that contradict themselves: rules, and what they find in a spec."""
