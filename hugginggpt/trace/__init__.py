"""The trace: everything that happened for a request, in a SQL database.

`store.Trace` is the one way in. `story` has the types that it returns, `report` the object that
`ask --json` prints, `tables` the schema that `docs/trace.md` explains.
"""
