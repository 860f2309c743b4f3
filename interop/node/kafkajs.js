// KafkaJS: admin, producer (once idempotent), and its own fetch requests. Its consumer only works in groups; so its broker
// connection is asked for records directly, which is what the consumer does below its groups.
'use strict'

const assert = require('node:assert')
const crypto = require('node:crypto')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')

const PARTITIONS = 3
/** How long everything may take, in milliseconds. */
const LIMIT_MS = 60_000
const CODECS = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }

let checks = 0

/** A difference between what was sent and what came back. */
class Failed extends Error {}

function equal(what, expected, got) {
  checks += 1
  try {
    assert.deepStrictEqual(got, expected)
  } catch {
    const brief = value => JSON.stringify(value, (_, v) => (typeof v === 'string' && v.length > 60 ? v.length : v))
    throw new Failed(`${what}: expected ${brief(expected)}, got ${brief(got)}`)
  }
}

/** KafkaJS brings gzip only; the others are for its user to register. */
async function registerCodecs() {
  await zstd.init()
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: encoder => lz4.compressFrame(encoder.buffer),
    decompress: buffer => lz4.decompressFrame(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
}

/** One record of every kind that KafkaJS can express, then enough small ones to fill several batches. */
function records() {
  const base = Date.now() - 3_600_000
  const headers = { twice: ['1', '2'], empty: '', ünicode: '世' }
  const out = [
    { key: 'key', value: 'value', headers: {} },
    { key: null, value: 'no key', headers: {} },
    { key: 'no value', value: null, headers: {} },
    { key: null, value: null, headers: {} },
    { key: '', value: '', headers: {} },
    { key: 'headers', value: 'value', headers },
    { key: 'large', value: crypto.randomBytes(450_000).toString('hex'), headers: { size: '900000' } },
  ]
  for (let i = 0; i < 1000; i++) {
    out.push({ key: `key-${i % 17}`, value: `value-${i} `.repeat(i % 50), headers: { i: `${i}` } })
  }
  return out.map((record, i) => ({ ...record, timestamp: `${base + i}`, partition: i % PARTITIONS }))
}

const text = bytes => (bytes == null ? null : bytes.toString())

/** A fetched record as it was sent. */
function plain(partition, message) {
  const headers = Object.entries(message.headers).map(([key, value]) => [
    key,
    Array.isArray(value) ? value.map(text) : text(value),
  ])
  const { key, value, timestamp } = message
  return { key: text(key), value: text(value), headers: Object.fromEntries(headers), timestamp, partition }
}

/** Sends all records; gives back what was acknowledged: per partition, by offset. */
async function produce(kafka, topic, codec, settings) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...settings })
  await producer.connect()
  const messages = records()
  const sent = Array.from({ length: PARTITIONS }, () => [])
  // In two requests, so that there are several batches.
  for (const part of [messages.slice(0, 500), messages.slice(500)]) {
    const answers = await producer.send({ topic, compression: CompressionTypes[codec], acks: -1, messages: part })
    for (const { partition, baseOffset } of answers) {
      equal(`${topic} base offset`, `${sent[partition].length}`, baseOffset)
      sent[partition].push(...part.filter(message => message.partition === partition))
    }
  }
  await producer.disconnect()
  return sent
}

/** `count` records of one partition. */
async function fetch(cluster, topic, partition, from, count) {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  const broker = await cluster.findBroker({ nodeId })
  const out = []
  while (out.length < count) {
    const asked = { partition, fetchOffset: `${from + out.length}`, maxBytes: 1 << 20 }
    const { responses } = await broker.fetch({ isolationLevel: 1, topics: [{ topic, partitions: [asked] }] })
    const { messages } = responses[0].partitions[0]
    // A batch comes whole, also from within.
    const wanted = messages.filter(message => Number(message.offset) >= from + out.length)
    if (wanted.length === 0) throw new Failed(`${topic} ${partition}: ${out.length} of ${count} came, then nothing`)
    out.push(...wanted.slice(0, count - out.length))
  }
  return out
}

async function round(kafka, admin, what, codec, settings) {
  const topic = `interop-kafkajs-${what}-${crypto.randomBytes(4).toString('hex')}`
  const wanted = { topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] }
  equal(`${topic} creation`, true, await admin.createTopics(wanted))
  equal(`${topic} second creation`, false, await admin.createTopics(wanted))
  const sent = await produce(kafka, topic, codec, settings)

  const create = Object.getOwnPropertySymbols(kafka).find(symbol => symbol.description.endsWith('createCluster'))
  const cluster = kafka[create]({ allowAutoTopicCreation: false })
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  for (const [partition, expected] of sent.entries()) {
    const where = `${topic} partition ${partition}`
    const got = await fetch(cluster, topic, partition, 0, expected.length)
    got.forEach((message, offset) => {
      equal(`${where} offset`, `${offset}`, message.offset)
      equal(`${where} offset ${offset}`, expected[offset], plain(partition, message))
    })
    const middle = Math.floor(expected.length / 2)
    const [first] = await fetch(cluster, topic, partition, middle, 1)
    equal(`${where} from the middle`, expected[middle], plain(partition, first))
    const at = await admin.fetchTopicOffsetsByTimestamp(topic, Number(expected[middle].timestamp))
    equal(`${where} offset for a time`, `${middle}`, at.find(entry => entry.partition === partition).offset)
  }
  await cluster.disconnect()
  const ends = await admin.fetchTopicOffsets(topic)
  for (const { partition, low, high } of ends) {
    equal(`${topic} ends`, ['0', `${sent[partition].length}`], [low, high])
  }
  await admin.deleteTopics({ topics: [topic] })
  equal(`${topic} is gone`, false, (await admin.listTopics()).includes(topic))
}

async function main() {
  if (process.argv.length !== 3) {
    console.error('usage: node kafkajs.js HOST:PORT')
    process.exit(2)
  }
  setTimeout(() => {
    console.log(`FAILED kafkajs: not done within ${LIMIT_MS} ms`)
    process.exit(1)
  }, LIMIT_MS).unref()
  await registerCodecs()
  const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { retries: 3 } })
  const admin = kafka.admin()
  await admin.connect()
  for (const [what, codec] of Object.entries(CODECS)) await round(kafka, admin, what, codec, {})
  await round(kafka, admin, 'idempotent', 'None', { idempotent: true })
  await admin.disconnect()
  console.log(`ok kafkajs ${checks} checks`)
}

main().catch(error => {
  console.log(`FAILED kafkajs: ${error instanceof Failed ? error.message : error.stack}`)
  process.exit(1)
})
