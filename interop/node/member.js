// A member of a group by KafkaJS; classic protocol. interop/README.md says what each line means.
'use strict'

const { Kafka, logLevel } = require('kafkajs')

const SESSION_MS = 6_000
const HEARTBEAT_MS = 1_000
const INTERVAL_MS = 500

const tell = line => process.stdout.write(`${line}\n`)

/** Tells partitions that the member reads from now on, or no longer. */
function tellPartitions(word, partitions) {
  if (partitions.length > 0) tell(`${word} ${[...partitions].sort((a, b) => a - b).join(',')}`)
}

async function main() {
  if (process.argv.length !== 7) {
    console.error('usage: node member.js HOST:PORT TOPIC GROUP classic manual|auto')
    process.exit(2)
  }
  const [bootstrap, topic, groupId, , commits] = process.argv.slice(2)
  const auto = commits === 'auto'
  // A broker that is away is asked again for as long as its restart may take.
  const kafka = new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 100, maxRetryTime: 1_000 },
  })
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: 200,
  })
  let mine = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    tellPartitions('revoked', mine)
    mine = payload.memberAssignment[topic] ?? []
    tellPartitions('assigned', mine)
  })
  // While it stops, commitOffsets comes back without having asked anybody: what was committed only this says.
  consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
    const partitions = auto ? [] : payload.topics.flatMap(committed => committed.partitions)
    partitions.forEach(({ partition, offset }) => tell(`committed ${partition} ${offset}`))
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => tell(`refused ${payload.error.message}`))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: auto,
    autoCommitInterval: auto ? INTERVAL_MS : null,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, heartbeat, isRunning, isStale }) => {
      let next = null
      for (const message of batch.messages) {
        if (!isRunning() || isStale()) break
        tell(`read ${batch.partition} ${message.offset}`)
        resolveOffset(message.offset)
        next = BigInt(message.offset) + 1n
      }
      await heartbeat()
      if (auto) {
        await commitOffsetsIfNecessary()
      } else if (next !== null) {
        // Thrown, a refusal would end the consumer for good; the next heartbeat learns of it and joins anew.
        try {
          await consumer.commitOffsets([{ topic, partition: batch.partition, offset: `${next}` }])
        } catch (error) {
          tell(`refused ${error.message}`)
        }
      }
    },
  })
  process.stdin.resume()
  process.stdin.on('end', async () => {
    await consumer.disconnect()
    tell('left')
    process.exit(0)
  })
}

main().catch(error => {
  tell(`failed ${error.stack}`)
  process.exit(1)
})
