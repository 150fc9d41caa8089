// A worker's program that only prints its environment.
console.log(JSON.stringify(process.env))
