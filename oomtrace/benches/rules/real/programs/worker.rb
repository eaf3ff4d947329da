# A worker in Ruby: 100 jobs a second. With leak, each job's result stays in a constant.
RESULTS = []
leaks = ARGV[0] == "leak"
number = 0
loop do
  10.times do
    rows = Array.new(100) { |row| { row: row, text: "row #{row}" * 3 } }
    result = rows.map { |row| row[:text] }.join[0, 1000]
    RESULTS << (result + number.to_s) if leaks
    number += 1
  end
  sleep 0.1
end
