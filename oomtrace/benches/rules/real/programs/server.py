"""A server in CPython that remembers answers: `leak` all of them, `clean` the latest 30,000. 100 requests a second."""
import collections, json, os, sys, time

leaks = sys.argv[1] == "leak"
answers = collections.OrderedDict()
number = 0
while True:
    for _ in range(10):
        body = json.loads(json.dumps([{"row": row, "text": f"row {row}"} for row in range(60)]))
        answers[number] = {"of": body[0]["text"], "answer": os.urandom(850)}
        number += 1
        if not leaks and len(answers) > 30_000:
            answers.popitem(last=False)
    time.sleep(0.1)
