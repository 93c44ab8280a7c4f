"""The schema of the database, step by step. ``Database.create`` brings any database to the last.

A change of ``fateflow.store.orm`` needs a revision here; the test of the migrations fails without:

    python -m fateflow.store.migrations "what changes"
"""
