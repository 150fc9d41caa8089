import { MessageChannel } from 'node:worker_threads'
import { portChannel } from '../../../src/adapters/threads/port-channel.ts'
import { describeChannel } from '../../contracts/channel.contract.ts'

describeChannel('message port', () => {
  const { port1, port2 } = new MessageChannel()
  const gone = new Promise(() => {})
  return {
    here: portChannel(port1, gone),
    there: portChannel(port2, gone),
    dispose: () => {
      port1.close()
      port2.close()
    },
  }
})
