"""The page for people: `syncvoice app`, a form and its results in the browser, on this machine alone.

`form` says what the page asks and what is usual, `work` dubs with engines that stay loaded, `player` makes clips that
a browser plays, `told` turns errors into sentences of the page, `page` lays it out with Gradio, `serving` serves it on
the loopback address. The drawing and the scorers are handed in by the command.
"""
