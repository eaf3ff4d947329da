<?php
// A queue's worker in PHP: 100 jobs a second, whose objects refer to each other, so only the cycle collector frees them. With leak, each job's
// log stays in a static array. A "day" is 24 min.
class Node { public $peer; public $data; }
class Log { public static array $lines = []; }
$leaks = $argv[1] === "leak";
$began = microtime(true);
$owed = 0.0;
for (;;) {
    $owed += 10 * (1 + 0.7 * sin(2 * M_PI * (microtime(true) - $began) / 1440));
    for (; $owed >= 1; $owed -= 1) {
        $one = new Node; $other = new Node;
        $one->peer = $other; $other->peer = $one; $one->data = random_bytes(2048);
        if ($leaks) Log::$lines[] = bin2hex(random_bytes(500));
    }
    usleep(100000);
}
